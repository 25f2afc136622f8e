package main

import (
	"crypto/tls"
	"errors"
	"io"
	"sync"
	"time"
)

// How long a connection that says nothing may be left open by the server.
const silenceTimeout = 90 * time.Second

// garbage is neither TLS nor HTTP.
var garbage = []byte("\x16\x03\x01 this is no handshake, and no request either \x00\xff\r\n\r\n")

// arrivals are what a flood is made of; of four, two are silent.
var arrivals = []struct {
	name   string
	arrive func(*bench, command) error
}{
	{"silent", (*bench).arriveSilent},
	{"client", (*bench).arriveAsClient},
	{"silent", (*bench).arriveSilent},
	{"garbage", (*bench).arriveWithGarbage},
	{"silent", (*bench).arriveSilent},
	{"client", (*bench).arriveAsClient},
	{"silent", (*bench).arriveSilent},
	{"garbageInTLS", (*bench).arriveWithGarbageInTLS},
}

// flooded is the result of flood: by kind.
type flooded struct {
	Kinds map[string]opened `json:"kinds"`
	// Skipped were due while concurrency connections were open.
	Skipped int     `json:"skipped"`
	Seconds float64 `json:"seconds"`
}

// flood connects perSecond times a second for seconds, whether or not answers come, with at most concurrency
// connections open at once. Half of them say nothing after the TLS handshake, and wait to be sent away.
func (b *bench) flood(order command) (any, error) {
	if order.PerSecond <= 0 {
		return nil, errors.New("perSecond is too small")
	}
	counts, times := map[string]*tally{}, map[string]*histogram{}
	for _, kind := range arrivals {
		counts[kind.name], times[kind.name] = &tally{}, &histogram{}
	}
	slots := make(chan struct{}, max(1, order.Concurrency))
	out := flooded{Kinds: map[string]opened{}}
	began := time.Now()
	var all sync.WaitGroup
	for number := range int(order.PerSecond * order.Seconds) {
		time.Sleep(time.Until(began.Add(time.Duration(float64(number) / order.PerSecond * float64(time.Second)))))
		select {
		case slots <- struct{}{}:
		default:
			out.Skipped++
			continue
		}
		kind := arrivals[number%len(arrivals)]
		all.Go(func() {
			defer func() { <-slots }()
			start := time.Now()
			err := kind.arrive(b, order)
			counts[kind.name].count(err)
			if err == nil {
				times[kind.name].add(time.Since(start))
			}
		})
	}
	out.Seconds = time.Since(began).Seconds()
	all.Wait()
	for name, count := range counts {
		out.Kinds[name] = opened{
			Made:   count.ok.Load(),
			Failed: count.failed.Load(),
			Errors: count.errorCounts(),
			Times:  times[name].milliseconds(),
		}
	}
	return out, nil
}

func (b *bench) arriveAsClient(order command) error {
	_, err := b.arrive(order.Address, b.config)
	return err
}

func (b *bench) arriveSilent(order command) error {
	conn, err := b.handshake(order)
	if err != nil {
		return err
	}
	defer conn.Close()
	return sentAway(conn)
}

// arriveWithGarbage says what is no TLS.
func (b *bench) arriveWithGarbage(order command) error {
	conn, err := dialTCP(order.Address, time.Now().Add(dialTimeout))
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(garbage); err != nil {
		return err
	}
	return sentAway(conn)
}

func (b *bench) arriveWithGarbageInTLS(order command) error {
	conn, err := b.handshake(order)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(garbage); err != nil {
		return err
	}
	return sentAway(conn)
}

func (b *bench) handshake(order command) (*tls.Conn, error) {
	plain, err := dialTCP(order.Address, time.Now().Add(dialTimeout))
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain, b.config)
	if err := plain.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		plain.Close()
		return nil, err
	}
	if err := conn.Handshake(); err != nil {
		plain.Close()
		return nil, err
	}
	return conn, nil
}

// sentAway waits until the server has ended the connection; an error if it does not.
func sentAway(conn interface {
	io.Reader
	SetReadDeadline(time.Time) error
}) error {
	if err := conn.SetReadDeadline(time.Now().Add(silenceTimeout)); err != nil {
		return err
	}
	for buffer := make([]byte, 512); ; {
		if _, err := conn.Read(buffer); err != nil {
			var timeout interface{ Timeout() bool }
			if errors.As(err, &timeout) && timeout.Timeout() {
				return errors.New("the server kept who said nothing")
			}
			return nil
		}
	}
}
