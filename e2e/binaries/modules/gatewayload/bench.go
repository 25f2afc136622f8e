package main

import (
	"crypto/tls"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// bench is all connections, in groups, and what is under way with them.
type bench struct {
	config *tls.Config
	token  string
	// secret signs tokens of further users; empty if there is none.
	secret []byte
	began  time.Time
	groups map[string][]*member
	// current is the load that deliveries count for.
	current atomic.Pointer[load]
	runs    int
	number  atomic.Uint64
	feed    *feed
	crowd   *crowd
}

func newBench(config *tls.Config, token string) *bench {
	return &bench{config: config, token: token, began: time.Now(), groups: map[string][]*member{}}
}

// now is the time since the start of this process: what stamps carry.
func (b *bench) now() time.Duration { return time.Since(b.began) }

// member is one connection of a group, with the channel that it is subscribed to ("" for none).
type member struct {
	bench   *bench
	channel string
	client  *client
	// echo is where the echo command waits for the message with this number.
	echoNumber atomic.Uint64
	echo       chan struct{}
	// follower is set in groups that come back when they lose their server.
	follower *follower
}

func (m *member) pushed(line []byte) {
	if m.follower != nil {
		m.follower.pushed(line)
		return
	}
	stamp, ok := readStamp(line)
	if !ok {
		return
	}
	if stamp.number == m.echoNumber.Load() {
		m.echoNumber.Store(0)
		m.echo <- struct{}{}
	}
	if load := m.bench.current.Load(); load != nil && load.run == stamp.run {
		load.delivered(m.bench.now() - stamp.due)
	}
}

// tally counts outcomes of what is done many times at once.
type tally struct {
	ok     atomic.Int64
	failed atomic.Int64
	lock   sync.Mutex
	errors map[string]int
}

// Kinds of errors that are told; a peer that fails in ever new words must not fill the answer.
const maxErrors = 20

func (t *tally) count(err error) {
	if err == nil {
		t.ok.Add(1)
		return
	}
	t.failed.Add(1)
	text := withoutAddresses(err.Error())
	t.lock.Lock()
	defer t.lock.Unlock()
	if t.errors == nil {
		t.errors = map[string]int{}
	}
	if _, known := t.errors[text]; known || len(t.errors) < maxErrors {
		t.errors[text]++
	}
}

// withoutAddresses keeps what an error of package net is about: "read tcp 1.2.3.4:5->6.7.8.9:0: reset" is "reset".
func withoutAddresses(text string) string {
	parts := strings.Split(text, ": ")
	return parts[len(parts)-1]
}

func (t *tally) errorCounts() map[string]int {
	t.lock.Lock()
	defer t.lock.Unlock()
	out := map[string]int{}
	for text, count := range t.errors {
		out[text] = count
	}
	return out
}

// eachOf calls work for 0 to count-1 from concurrency goroutines, and returns when all are done.
func eachOf(count, concurrency int, work func(index int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(count, max(1, concurrency)) {
		all.Go(func() {
			for index := next.Add(1) - 1; index < int64(count); index = next.Add(1) - 1 {
				work(int(index))
			}
		})
	}
	all.Wait()
}

// opened is the result of connect and of handshakes.
type opened struct {
	Made    int64          `json:"made"`
	Failed  int64          `json:"failed"`
	Resumed int64          `json:"resumed"`
	Errors  map[string]int `json:"errors"`
	Seconds float64        `json:"seconds"`
	// From the TCP connection to the last answer, milliseconds.
	Times [][2]float64 `json:"times"`
}

// connect opens count connections in group, each subscribed to channel. "%d" in channel stands for the number of the
// connection divided by perChannel; without a channel they are not subscribed. recover: they come back by themselves.
func (b *bench) connect(order command) (any, error) {
	first := len(b.groups[order.Group])
	made := make([]*member, order.Count)
	var count tally
	var times histogram
	began := time.Now()
	eachOf(order.Count, order.Concurrency, func(index int) {
		start := time.Now()
		m, err := b.member(order, first+index)
		count.count(err)
		if err == nil {
			times.add(time.Since(start))
			made[index] = m
		}
	})
	for _, m := range made {
		if m != nil {
			b.groups[order.Group] = append(b.groups[order.Group], m)
		}
	}
	return opened{
		Made:    count.ok.Load(),
		Failed:  count.failed.Load(),
		Errors:  count.errorCounts(),
		Seconds: time.Since(began).Seconds(),
		Times:   times.milliseconds(),
	}, nil
}

func (b *bench) member(order command, number int) (*member, error) {
	m := &member{bench: b, echo: make(chan struct{}, 1)}
	if order.Channel != "" {
		m.channel = strings.ReplaceAll(order.Channel, "%d", fmt.Sprint(number/max(1, order.PerChannel)))
	}
	if order.Recover {
		m.follower = newFollower(b, order.Address, m.channel)
		return m, m.follower.begin()
	}
	return m, m.open(order.Address, b.config)
}

func (m *member) open(address string, config *tls.Config) error {
	w, err := dial(address, config)
	if err != nil {
		return err
	}
	c, err := newClient(w, m.bench.token, m.pushed)
	if err != nil {
		return err
	}
	m.client = c
	if m.channel == "" {
		return nil
	}
	if _, err := c.call(subscribeMembers(m.channel)); err != nil {
		c.close()
		return err
	}
	return nil
}

func (m *member) close() {
	if m.follower != nil {
		m.follower.stop()
		return
	}
	m.client.close()
}

// closed is the result of close.
type closed struct {
	Closed int `json:"closed"`
	// Ended is how many had been ended by the server before.
	Ended int `json:"ended"`
}

// close ends all connections of group.
func (b *bench) close(order command) (any, error) {
	members := b.groups[order.Group]
	delete(b.groups, order.Group)
	out := closed{Closed: len(members)}
	for _, m := range members {
		if m.follower != nil {
			continue
		}
		select {
		case <-m.client.done:
			out.Ended++
		default:
		}
	}
	eachOf(len(members), 64, func(index int) { members[index].close() })
	return out, nil
}
