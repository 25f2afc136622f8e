package main

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// How the JavaScript SDK (centrifuge 5.8) behaves when nobody sets anything.
const (
	sdkMinDelay = 500 * time.Millisecond
	sdkMaxDelay = 20 * time.Second
	// sdkTimeout is for opening a connection, and then for each command.
	sdkTimeout = 5 * time.Second
)

var (
	errNoPing           = errors.New("no ping")
	errSubscribeTimeout = errors.New("subscribe timeout")
)

// sdkDelay is how long the SDK waits before attempt number step, from 0 on.
func sdkDelay(step int) time.Duration {
	limit := min(sdkMaxDelay, sdkMinDelay<<min(step, 10))
	return min(sdkMaxDelay, sdkMinDelay+time.Duration(rand.Int64N(int64(limit)+1)))
}

// attendee is a client of a crowd. It does what the SDK does: it comes back when it loses its connection or hears
// nothing for as long as the server pings and pingDelay, subscribes again, and asks for what it missed.
type attendee struct {
	bench   *bench
	journal *journal
	name    string
	address string
	// channel that it is subscribed to; empty: it only publishes.
	channel   string
	pingDelay time.Duration
	end       <-chan struct{}
	// ready is told the first time that it is connected, and subscribed if it is to be.
	ready chan<- struct{}

	lock   sync.Mutex
	client *client
	// isIn: it is connected, and subscribed if it is to be.
	isIn     bool
	wasIn    bool
	epoch    string
	offset   uint64
	last     uint64
	received int
	// heard is when something of its channel came last.
	heard time.Time
	// losses are the connections that it has lost.
	losses int
	// retries of the subscription on this connection.
	retries int
}

// run connects again and again, until end is closed or the server sends it away for good.
func (a *attendee) run() {
	for attempt := 0; ; attempt++ {
		c, err := a.open()
		if err == nil {
			attempt = 0
			select {
			case <-c.done:
			case <-a.end:
				c.close()
				return
			}
			err = a.lost(c)
		} else {
			a.journal.note('f', a.name, oneLine(err))
		}
		if isForGood(err) {
			a.journal.note('x', a.name, oneLine(err))
			return
		}
		select {
		case <-time.After(sdkDelay(attempt)):
		case <-a.end:
			return
		}
	}
}

// open connects, and asks for the subscription.
func (a *attendee) open() (*client, error) {
	w, err := dialUntil(a.address, a.bench.config, time.Now().Add(sdkTimeout))
	if err != nil {
		return nil, err
	}
	var c *client
	c = startClient(w, func(line []byte) { a.pushed(c, line) })
	answered := make(chan error, 1)
	// In the goroutine that reads, so that nothing overtakes it.
	c.start(connectMembers(tokenOf(a.bench.secret, a.name)), func(r *reply, err error) {
		if err == nil && r.Connect == nil {
			err = errors.New("no connect reply")
		}
		if err == nil {
			a.connected(c, r.Connect)
		}
		answered <- err
	})
	select {
	case err = <-answered:
	case <-time.After(sdkTimeout):
		err = errTimeout
	}
	if err != nil {
		c.end(err)
		return nil, err
	}
	return c, nil
}

func (a *attendee) connected(c *client, r *connectReply) {
	if r.Ping > 0 {
		c.silence = time.Duration(r.Ping*float64(time.Second)) + a.pingDelay
	}
	port := 0
	if from, ok := c.wire.tls.NetConn().LocalAddr().(*net.TCPAddr); ok {
		port = from.Port
	}
	a.journal.note('c', a.name, strconv.Itoa(port))
	a.lock.Lock()
	a.client = c
	a.retries = 0
	if a.channel == "" {
		a.in()
	}
	a.lock.Unlock()
	if a.channel != "" {
		a.ask(c)
	}
}

// ask subscribes; from where it stood, if it stood anywhere.
func (a *attendee) ask(c *client) {
	a.lock.Lock()
	members := subscribeMembers(a.channel)
	if a.wasIn {
		members = recoverMembers(a.channel, a.epoch, a.offset)
	}
	a.lock.Unlock()
	timer := time.AfterFunc(sdkTimeout, func() { c.end(errSubscribeTimeout) })
	c.start(members, func(r *reply, err error) {
		timer.Stop()
		if err == nil && r.Subscribe == nil {
			err = errors.New("no subscribe reply")
		}
		if err != nil {
			a.refused(c, err)
			return
		}
		a.subscribed(c, r.Subscribe)
	})
}

// refused tries again after an error that may pass; any other one is the end of the connection.
func (a *attendee) refused(c *client, err error) {
	var said *protocolError
	if !errors.As(err, &said) {
		return // The connection has ended, and that is seen elsewhere.
	}
	if !said.Temporary && said.Code >= 100 {
		c.end(&closedError{code: 3500, reason: said.Error()})
		return
	}
	a.lock.Lock()
	step := a.retries
	a.retries++
	a.lock.Unlock()
	time.AfterFunc(sdkDelay(step), func() { a.ask(c) })
}

func (a *attendee) subscribed(c *client, r *subscribeReply) {
	a.lock.Lock()
	// It may have been given up while the answer was on its way.
	if a.client != c {
		a.lock.Unlock()
		return
	}
	recovery := "f"
	if a.wasIn {
		recovery = "l"
		if r.Recovered {
			recovery = "r"
		}
	}
	a.epoch, a.offset = r.Epoch, r.Offset
	a.journal.note('s', a.name, a.channel, recovery, strconv.FormatUint(r.Offset, 10), r.Epoch)
	for _, p := range r.Publications {
		a.take(p)
	}
	a.in()
	a.lock.Unlock()
}

// in is told when it is connected, and subscribed if it is to be. The lock is held.
func (a *attendee) in() {
	isFirst := !a.wasIn
	a.isIn, a.wasIn = true, true
	if isFirst {
		a.ready <- struct{}{}
	}
}

func (a *attendee) pushed(c *client, line []byte) {
	var p push
	if err := json.Unmarshal(line, &p); err != nil {
		c.end(err)
		return
	}
	switch {
	case p.Push.Pub != nil:
		a.lock.Lock()
		if a.client == c {
			a.take(*p.Push.Pub)
		}
		a.lock.Unlock()
	case p.Push.Disconnect != nil:
		c.end(&closedError{code: p.Push.Disconnect.Code, reason: p.Push.Disconnect.Reason})
	case p.Push.Unsubscribe != nil:
		a.unsubscribed(c, p.Push.Unsubscribe)
	}
}

func (a *attendee) unsubscribed(c *client, why *ended) {
	a.lock.Lock()
	a.isIn = false
	a.lock.Unlock()
	a.journal.note('l', a.name, "unsubscribed with "+strconv.Itoa(why.Code))
	if why.Code < 2500 {
		c.end(&closedError{code: 3500, reason: "unsubscribed with " + strconv.Itoa(why.Code)})
		return
	}
	a.ask(c)
}

// take notes a publication. The lock is held.
func (a *attendee) take(p publication) {
	id := "?"
	if stamp, ok := readStamp(p.Data); ok {
		a.last = max(a.last, stamp.number)
		id = strconv.FormatUint(stamp.number, 10)
	}
	words := []string{a.name, strconv.FormatUint(p.Offset, 10), id}
	if p.Epoch != "" && p.Epoch != a.epoch {
		a.epoch = p.Epoch
		words = append(words, p.Epoch)
	}
	a.offset = p.Offset
	a.received++
	a.heard = time.Now()
	a.journal.note('d', words...)
}

// lost is the end of a connection; it gives why.
func (a *attendee) lost(c *client) error {
	c.lock.Lock()
	err := c.err
	c.lock.Unlock()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errNoPing
	}
	a.lock.Lock()
	a.client, a.isIn = nil, false
	a.losses++
	a.lock.Unlock()
	a.journal.note('l', a.name, oneLine(err))
	return err
}

// isForGood tells after which words an SDK does not come back.
func isForGood(err error) bool {
	var closed *closedError
	if !errors.As(err, &closed) {
		return false
	}
	return closed.code >= 3500 && closed.code < 4000 || closed.code >= 4500 && closed.code < 5000
}

// connection is what it can publish by; nil while it is away.
func (a *attendee) connection() *client {
	a.lock.Lock()
	defer a.lock.Unlock()
	if !a.isIn {
		return nil
	}
	return a.client
}
