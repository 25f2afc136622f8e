// gatewayload is the clients of the gateway benchmarks: many connections of the Centrifuge protocol in JSON over
// WebSocket and TLS 1.3, in one cheap process. It imports only Go's own packages.
//
// It reads commands from standard input, one JSON object for each line, carries out one after the other, and writes
// one line of JSON for each to standard output. It ends with its input, and in any case after -max. The token comes in
// the environment as TOKEN, and what to sign tokens of further users with, in hexadecimal, as TOKEN_SECRET: arguments can
// be seen by everyone on the machine.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime/debug"
	"syscall"
	"time"
)

const version = "1.4.0"

// Garbage is collected rarely: the memory of this process is not what is measured, its CPU takes from the server's.
const gcPercent = 400

// command is one line of standard input. Which fields a command reads is said where it is carried out.
type command struct {
	Do          string  `json:"do"`
	Group       string  `json:"group"`
	Address     string  `json:"address"`
	Count       int     `json:"count"`
	First       int     `json:"first"`
	Concurrency int     `json:"concurrency"`
	Channel     string  `json:"channel"`
	PerChannel  int     `json:"perChannel"`
	Channels    int     `json:"channels"`
	Recover     bool    `json:"recover"`
	Resumed     bool    `json:"resumed"`
	PerSecond   float64 `json:"perSecond"`
	Seconds     float64 `json:"seconds"`
	Bytes       int     `json:"bytes"`
	Rounds      int     `json:"rounds"`
	InFlight    int     `json:"inFlight"`
	Publishers  int     `json:"publishers"`
	// PingDelays are seconds.
	PingDelays []float64 `json:"pingDelays"`
	File       string    `json:"file"`
}

func (c command) duration() time.Duration { return time.Duration(c.Seconds * float64(time.Second)) }

// answer is one line of standard output: the CPU that this process used meanwhile, and what the command found.
type answer struct {
	CPUSeconds float64 `json:"cpuSeconds"`
	Result     any     `json:"result,omitempty"`
	Error      string  `json:"error,omitempty"`
}

func main() {
	showVersion := flag.Bool("version", false, "print the version")
	caFile := flag.String("ca", "", "PEM file of the authority to trust")
	serverName := flag.String("server-name", "localhost", "name that the server's certificate must have")
	limit := flag.Duration("max", time.Hour, "time after which it ends in any case")
	flag.Parse()
	if *showVersion {
		fmt.Println(version)
		return
	}
	debug.SetGCPercent(gcPercent)
	config, err := clientConfig(*caFile, *serverName)
	if err != nil {
		log.Fatal(err)
	}
	time.AfterFunc(*limit, func() { log.Fatalf("ended after %s", *limit) })
	bench := newBench(config, os.Getenv("TOKEN"))
	if bench.secret, err = hex.DecodeString(os.Getenv("TOKEN_SECRET")); err != nil {
		log.Fatal("TOKEN_SECRET is not hexadecimal")
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		if err := out.Encode(bench.answer(lines.Bytes())); err != nil {
			log.Fatal(err)
		}
	}
}

func (b *bench) answer(line []byte) answer {
	var order command
	if err := json.Unmarshal(line, &order); err != nil {
		return answer{Error: err.Error()}
	}
	before := cpuSeconds()
	result, err := b.carryOut(order)
	out := answer{CPUSeconds: cpuSeconds() - before, Result: result}
	if err != nil {
		out.Error = err.Error()
	}
	return out
}

func (b *bench) carryOut(order command) (any, error) {
	commands := map[string]func(command) (any, error){
		"connect":    b.connect,
		"close":      b.close,
		"echo":       b.echo,
		"publish":    b.publish,
		"handshakes": b.handshakes,
		"churn":      b.churn,
		"visits":     b.visits,
		"flood":      b.flood,
		"feed":       b.startFeed,
		"feed-stop":  b.stopFeed,
		"await-back": b.awaitBack,
		"books":      b.books,
		"crowd":      b.startCrowd,
		"crowd-look": b.lookAtCrowd,
		"crowd-stop": b.stopCrowd,
	}
	run, known := commands[order.Do]
	if !known {
		return nil, fmt.Errorf("unknown command %q", order.Do)
	}
	return run(order)
}

// cpuSeconds is user and system time of this process so far.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}
