package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	// How long a slow reader reads nothing: longer than a server waits for it to answer a close frame.
	slowPause = 4500 * time.Millisecond
	// How long a server may take to end a connection that it should.
	endTimeout = 20 * time.Second
	// A slow reader's own publication, and how often it asks for it: more than a server keeps for a client.
	slowBytes    = 30_000
	slowRequests = 150
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
	// The goroutine that reads stops at its own publication.
	c, err := v.subscribed(v.bench.config, func(line []byte) {
		signal(back)(line)
		<-goOn
	})
	if err != nil {
		close(goOn)
		return err
	}
	defer c.close()
	err = v.echo(c, slowBytes, back)
	if err == nil {
		for range slowRequests {
			c.start(`"history":{"channel":"`+v.channel+`","limit":1}`, func(*reply, error) {})
		}
		time.Sleep(slowPause)
	}
	close(goOn)
	if err != nil {
		return err
	}
	select {
	case <-c.done:
		return nil
	case <-time.After(endTimeout):
		return errors.New("the server kept a slow reader")
	}
}

// echo publishes to its own channel, and waits until that has come back.
func (v *visitor) echo(c *client, size int, back <-chan struct{}) error {
	message := stamp{due: v.bench.now(), number: uint64(v.number)}.message(size)
	if _, err := c.call(publishMembers(v.channel, message)); err != nil {
		return err
	}
	timer := time.NewTimer(replyTimeout)
	defer timer.Stop()
	select {
	case <-back:
		return nil
	case <-c.done:
		return errors.New("closed while it waited")
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
