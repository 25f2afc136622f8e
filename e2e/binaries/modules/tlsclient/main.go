// tlsclient makes TLS 1.3 handshakes with a server until it is interrupted, as a stranger to Node and OpenSSL: it
// verifies chain and name with Go's crypto/tls, and prints what came of them as one line of JSON.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const version = "1.0.0"

// result is what is printed at the end.
type result struct {
	Made    int      `json:"made"`
	Resumed int      `json:"resumed"`
	Failed  int      `json:"failed"`
	Errors  []string `json:"errors"`
}

func main() {
	showVersion := flag.Bool("version", false, "print the version")
	connect := flag.String("connect", "", "host:port")
	name := flag.String("servername", "", "name to ask for and to verify")
	caFile := flag.String("ca", "", "PEM file of the authorities to trust")
	pause := flag.Duration("pause", 20*time.Millisecond, "pause between two handshakes")
	flag.Parse()
	if *showVersion {
		fmt.Println(version)
		return
	}
	pem, err := os.ReadFile(*caFile)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		log.Fatalf("%s has no certificate", *caFile)
	}
	config := &tls.Config{
		RootCAs:            roots,
		ServerName:         *name,
		MinVersion:         tls.VersionTLS13,
		ClientSessionCache: tls.NewLRUClientSessionCache(8),
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	if err := json.NewEncoder(os.Stdout).Encode(run(*connect, config, *pause, stop)); err != nil {
		log.Fatal(err)
	}
}

// run makes handshakes, every second one without a session of before, until something comes from stop.
func run(address string, config *tls.Config, pause time.Duration, stop <-chan os.Signal) result {
	out := result{Errors: []string{}}
	full := config.Clone()
	full.ClientSessionCache = nil
	for n := 0; ; n++ {
		choice := config
		if n%2 == 1 {
			choice = full
		}
		resumed, err := handshake(address, choice)
		switch {
		case err != nil:
			out.Failed++
			if len(out.Errors) < 10 {
				out.Errors = append(out.Errors, err.Error())
			}
		case resumed:
			out.Resumed++
			fallthrough
		default:
			out.Made++
		}
		select {
		case <-stop:
			return out
		case <-time.After(pause):
		}
	}
}

// handshake says whether the session was resumed. It asks for something, since a ticket may come with the answer only.
func handshake(address string, config *tls.Config) (bool, error) {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	connection, err := tls.DialWithDialer(dialer, "tcp", address, config)
	if err != nil {
		return false, err
	}
	defer connection.Close()
	resumed := connection.ConnectionState().DidResume
	if err := connection.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return resumed, err
	}
	if _, err := connection.Write([]byte("GET / HTTP/1.1\r\nHost: " + config.ServerName + "\r\n\r\n")); err != nil {
		return resumed, err
	}
	_, err = connection.Read(make([]byte, 512))
	return resumed, err
}
