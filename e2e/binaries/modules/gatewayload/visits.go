package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// How long a slow reader reads nothing: longer than a server waits for it to answer a close frame.
	slowPause = 4500 * time.Millisecond
	// How long a server may take to end a connection that it should.
	endTimeout = 20 * time.Second
	// How often a slow reader tries to be noticed.
	slowAttempts = 5
	// A slow reader's own publication, and how often it asks for it: more than a server keeps for a client.
	slowBytes    = 30_000
	slowRequests = 300
	// What the kernel takes for a slow reader: it would hold megabytes of what the server is to hold.
	slowBuffer = 64 << 10
)

// A visitor comes, does something, and goes.
type visitor struct {
	bench   *bench
	order   command
	number  int
	channel string
}

// kinds of visitors, and how many of 200 are of each.
var kinds = []struct {
	name  string
	share int
	visit func(*visitor) error
}{
	// Subscribed, then closed by all rules.
	{"leaves", 80, (*visitor).leaves},
	// The same, with a publication that came back.
	{"publishes", 50, (*visitor).publishes},
	// Subscribed, then the TCP connection ends without a word.
	{"drops", 40, (*visitor).drops},
	// Gone before its subscription is answered.
	{"hasty", 9, (*visitor).hasty},
	// Asks for much and reads nothing, until the server sends it away.
	{"slow", 1, (*visitor).slow},
	// Over HTTP/2; every other one ends without a word.
	{"http2", 20, (*visitor).http2},
}

// visited is the result of visits: by kind.
type visited struct {
	Kinds   map[string]opened `json:"kinds"`
	Seconds float64           `json:"seconds"`
}

// visits lets count visitors come, concurrency at a time, each a user of its own with a channel of its own ("%d" in
// channel is its number, from first on).
func (b *bench) visits(order command) (any, error) {
	if len(b.secret) == 0 {
		return nil, errors.New("there is no TOKEN_SECRET to sign tokens with")
	}
	counts := make([]tally, len(kinds))
	times := make([]histogram, len(kinds))
	began := time.Now()
	// Those who read slowly take their time, and must not keep places from the others.
	var slow sync.WaitGroup
	eachOf(order.Count, order.Concurrency, func(index int) {
		number := order.First + index
		kind := kindOf(number)
		one := &visitor{bench: b, order: order, number: number}
		one.channel = strings.ReplaceAll(order.Channel, "%d", fmt.Sprint(number))
		visit := func() {
			start := time.Now()
			err := kinds[kind].visit(one)
			counts[kind].count(err)
			if err == nil {
				times[kind].add(time.Since(start))
			}
		}
		if kinds[kind].name == "slow" {
			slow.Go(visit)
		} else {
			visit()
		}
	})
	slow.Wait()
	out := visited{Kinds: map[string]opened{}, Seconds: time.Since(began).Seconds()}
	for index := range kinds {
		out.Kinds[kinds[index].name] = opened{
			Made:    counts[index].ok.Load(),
			Failed:  counts[index].failed.Load(),
			Errors:  counts[index].errorCounts(),
			Seconds: out.Seconds,
			Times:   times[index].milliseconds(),
		}
	}
	return out, nil
}

// kindOf spreads the kinds evenly: 77 has no divisor in common with 200.
func kindOf(number int) int {
	place := number * 77 % 200
	for index := range kinds {
		if place -= kinds[index].share; place < 0 {
			return index
		}
	}
	return 0
}

func (v *visitor) open(config *tls.Config, onPush func([]byte)) (*client, error) {
	w, err := dial(v.order.Address, config)
	if err != nil {
		return nil, err
	}
	return newClient(w, tokenOf(v.bench.secret, fmt.Sprintf("visitor-%d", v.number)), onPush)
}

// subscribed gives a client that is subscribed to its own channel.
func (v *visitor) subscribed(config *tls.Config, onPush func([]byte)) (*client, error) {
	c, err := v.open(config, onPush)
	if err != nil {
		return nil, err
	}
	if _, err := c.call(subscribeMembers(v.channel)); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (v *visitor) leaves() error {
	c, err := v.subscribed(v.bench.config, ignore)
	if err != nil {
		return err
	}
	c.close()
	return nil
}

func (v *visitor) publishes() error {
	back := make(chan struct{}, 1)
	c, err := v.subscribed(v.bench.config, signal(back))
	if err != nil {
		return err
	}
	defer c.close()
	return v.echo(c, v.order.Bytes, back)
}

func (v *visitor) drops() error {
	c, err := v.subscribed(v.bench.config, ignore)
	if err != nil {
		return err
	}
	c.wire.drop(v.number%2 == 0)
	return nil
}

func (v *visitor) hasty() error {
	c, err := v.open(v.bench.config, ignore)
	if err != nil {
		return err
	}
	c.start(subscribeMembers(v.channel), func(*reply, error) {})
	c.wire.drop(v.number%2 == 0)
	return nil
}

func (v *visitor) http2() error {
	config := v.bench.config.Clone()
	config.NextProtos = []string{"h2"}
	c, err := v.subscribed(config, ignore)
	if err != nil {
		return err
	}
	if v.number%2 == 0 {
		c.wire.drop(false)
	} else {
		c.close()
	}
	return nil
}

func (v *visitor) slow() error {
	back, goOn := make(chan struct{}, 1), make(chan struct{})
	// At each publication of its own the goroutine that reads stops until it may go on.
	c, err := v.subscribed(v.bench.config, func(line []byte) {
		if _, ok := readStamp(line); ok {
			back <- struct{}{}
			<-goOn
		}
	})
	if err != nil {
		return err
	}
	defer c.close()
	defer close(goOn)
	if err := c.wire.tls.NetConn().(*net.TCPConn).SetReadBuffer(slowBuffer); err != nil {
		return err
	}
	for range slowAttempts {
		if err := v.echo(c, slowBytes, back); err != nil {
			return err
		}
		if ended, err := v.askAndPause(c, goOn); ended || err != nil {
			return err
		}
	}
	return errors.New("the server kept a slow reader")
}

// askAndPause asks for much, reads nothing for a while, and then all. It says whether the server has ended the
// connection; a server that was too busy to answer meanwhile has not noticed, and has answered everything.
func (v *visitor) askAndPause(c *client, goOn chan<- struct{}) (ended bool, err error) {
	var answers atomic.Int64
	answered := make(chan struct{})
	for range slowRequests {
		c.start(`"history":{"channel":"`+v.channel+`","limit":1}`, func(*reply, error) {
			if answers.Add(1) == slowRequests {
				close(answered)
			}
		})
	}
	time.Sleep(slowPause)
	select {
	case goOn <- struct{}{}:
	case <-c.done:
		return true, nil
	}
	select {
	case <-c.done:
		return true, nil
	case <-answered:
	case <-time.After(endTimeout):
		return false, errors.New("neither answered nor ended")
	}
	// The end of a connection answers what is open, too.
	select {
	case <-c.done:
		return true, nil
	case <-time.After(time.Second):
		return false, nil
	}
}

// echo publishes to its own channel, and waits until that has come back. Not for its acknowledgement: whoever stops
// reading at the publication may have stopped before it.
func (v *visitor) echo(c *client, size int, back <-chan struct{}) error {
	message := stamp{due: v.bench.now(), number: uint64(v.number)}.message(size)
	failed := make(chan error, 1)
	c.start(publishMembers(v.channel, message), func(_ *reply, err error) {
		if err != nil {
			failed <- err
		}
	})
	timer := time.NewTimer(replyTimeout)
	defer timer.Stop()
	select {
	case <-back:
		return nil
	case err := <-failed:
		return err
	case <-timer.C:
		return errors.New("the message did not come back")
	}
}

func ignore([]byte) {}

// signal tells of pushes that carry a stamp: those of others' coming and going do not.
func signal(back chan<- struct{}) func([]byte) {
	return func(line []byte) {
		if _, ok := readStamp(line); !ok {
			return
		}
		select {
		case back <- struct{}{}:
		default:
		}
	}
}
