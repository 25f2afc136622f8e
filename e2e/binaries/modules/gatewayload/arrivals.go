package main

import (
	"crypto/tls"
	"fmt"
	"strings"
	"sync"
	"time"
)

// handshakes opens and closes connections from concurrency goroutines for seconds: TCP, TLS 1.3, upgrade, connect
// command. resumed: each goroutine offers the ticket of its connection before; its first one does not count.
func (b *bench) handshakes(order command) (any, error) {
	var count tally
	var times histogram
	var lock sync.Mutex
	resumed := int64(0)
	began := time.Now()
	end := began.Add(order.duration())
	var all sync.WaitGroup
	for range max(1, order.Concurrency) {
		all.Go(func() {
			config := b.config.Clone()
			if order.Resumed {
				config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
			}
			for first := order.Resumed; time.Now().Before(end); first = false {
				start := time.Now()
				again, err := b.arrive(order.Address, config)
				if first && err == nil {
					continue
				}
				count.count(err)
				if err != nil {
					// A server that refuses at once must not be asked in a tight loop.
					time.Sleep(10 * time.Millisecond)
					continue
				}
				times.add(time.Since(start))
				if again {
					lock.Lock()
					resumed++
					lock.Unlock()
				}
			}
		})
	}
	all.Wait()
	return opened{
		Made:    count.ok.Load(),
		Failed:  count.failed.Load(),
		Resumed: resumed,
		Errors:  count.errorCounts(),
		Seconds: time.Since(began).Seconds(),
		Times:   times.milliseconds(),
	}, nil
}

// arrive says whether the TLS session was resumed.
func (b *bench) arrive(address string, config *tls.Config) (bool, error) {
	w, err := dial(address, config)
	if err != nil {
		return false, err
	}
	c, err := newClient(w, b.token, func([]byte) {})
	if err != nil {
		return false, err
	}
	defer c.close()
	return w.tls.ConnectionState().DidResume, nil
}

// churn connects, subscribes, echoes rounds messages of bytes and disconnects, perSecond times a second for seconds,
// with at most concurrency at once. "%d" in channel is a number below channels.
func (b *bench) churn(order command) (any, error) {
	var count tally
	var times histogram
	began := time.Now()
	slots := make(chan struct{}, max(1, order.Concurrency))
	total := int(order.PerSecond * order.Seconds)
	var all sync.WaitGroup
	for number := range total {
		due := began.Add(time.Duration(float64(number) / order.PerSecond * float64(time.Second)))
		time.Sleep(time.Until(due))
		// A server that is behind gets no more at once: then fewer are made in the time, which the result shows.
		slots <- struct{}{}
		if time.Since(began) > order.duration()+time.Second {
			break
		}
		all.Go(func() {
			defer func() { <-slots }()
			start := time.Now()
			err := b.visit(order, number)
			count.count(err)
			if err == nil {
				times.add(time.Since(start))
			}
		})
	}
	all.Wait()
	return opened{
		Made:    count.ok.Load(),
		Failed:  count.failed.Load(),
		Errors:  count.errorCounts(),
		Seconds: time.Since(began).Seconds(),
		Times:   times.milliseconds(),
	}, nil
}

func (b *bench) visit(order command, number int) error {
	m := &member{bench: b, echo: make(chan struct{}, 1)}
	m.channel = strings.ReplaceAll(order.Channel, "%d", fmt.Sprint(number%max(1, order.Channels)))
	if err := m.open(order.Address, b.config); err != nil {
		return err
	}
	defer m.client.close()
	for range order.Rounds {
		if err := b.oneEcho(m, order.Bytes); err != nil {
			return err
		}
	}
	return nil
}
