package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// crowd is subscribers that behave as the SDK does, and publishers that never stop; all is noted in a journal.
type crowd struct {
	bench      *bench
	journal    *journal
	attendees  []*attendee
	publishers []*attendee
	channels   []*crowdChannel
	bytes      int
	perSecond  float64
	// halt ends the publishing, stopped says that it has ended; end ends the clients.
	halt    chan struct{}
	stopped chan struct{}
	end     chan struct{}

	sent, acknowledged, refused, unknown, skipped atomic.Int64
}

type crowdChannel struct {
	name string
	// acknowledged is the highest number that was.
	acknowledged atomic.Uint64
}

// startCrowd connects count subscribers, perChannel in each channel ("%d" in channel is its number), and publishers, at
// most concurrency at once for the first time. They reconnect by themselves from then on. When all are there, perSecond
// messages of bytes a second go to the channels by turns. What happens is noted in file. pingDelays are what SDKs call
// maxServerPingDelay, in seconds; subscribers have them by turns.
func (b *bench) startCrowd(order command) (any, error) {
	if b.crowd != nil || len(b.secret) == 0 || order.PerSecond <= 0 || order.Bytes < minBytes || len(order.PingDelays) == 0 {
		return nil, errors.New("a crowd is there already, or TOKEN_SECRET, rate, size or pingDelays are missing")
	}
	notes, err := newJournal(order.File)
	if err != nil {
		return nil, err
	}
	c := &crowd{
		bench: b, journal: notes, bytes: order.Bytes, perSecond: order.PerSecond,
		halt: make(chan struct{}), stopped: make(chan struct{}), end: make(chan struct{}),
	}
	ready := make(chan struct{}, order.Count+order.Publishers)
	c.invite(order, ready)
	if err := c.gather(order, ready); err != nil {
		close(c.end)
		return nil, errors.Join(err, notes.close())
	}
	b.crowd = c
	go c.publish()
	return c.look(), nil
}

func (c *crowd) invite(order command, ready chan<- struct{}) {
	one := func(name string) *attendee {
		return &attendee{bench: c.bench, journal: c.journal, name: name, address: order.Address, end: c.end, ready: ready}
	}
	for number := range order.Count {
		a := one(strconv.Itoa(number))
		index := number / max(1, order.PerChannel)
		if index == len(c.channels) {
			name := strings.ReplaceAll(order.Channel, "%d", strconv.Itoa(index))
			c.channels = append(c.channels, &crowdChannel{name: name})
		}
		a.channel = c.channels[index].name
		a.pingDelay = time.Duration(order.PingDelays[number%len(order.PingDelays)] * float64(time.Second))
		c.attendees = append(c.attendees, a)
	}
	for number := range order.Publishers {
		a := one("p" + strconv.Itoa(number))
		a.pingDelay = time.Duration(order.PingDelays[number%len(order.PingDelays)] * float64(time.Second))
		c.publishers = append(c.publishers, a)
	}
}

// gather lets everybody connect for the first time, and waits until they are in.
func (c *crowd) gather(order command, ready <-chan struct{}) error {
	all := append(append([]*attendee{}, c.attendees...), c.publishers...)
	limit := time.After(order.duration())
	for index, a := range all {
		go a.run()
		if index < max(1, order.Concurrency) {
			continue
		}
		select {
		case <-ready:
		case <-limit:
			return fmt.Errorf("%d of %d had begun to connect after %s", index+1, len(all), order.duration())
		}
	}
	for left := min(len(all), max(1, order.Concurrency)); left > 0; left-- {
		select {
		case <-ready:
		case <-limit:
			return fmt.Errorf("%d of %d were not in after %s", left, len(all), order.duration())
		}
	}
	return nil
}

func (c *crowd) publish() {
	defer close(c.stopped)
	began := time.Now()
	var answers sync.WaitGroup
	for turn := 0; ; turn++ {
		due := began.Add(time.Duration(float64(turn) / c.perSecond * float64(time.Second)))
		select {
		case <-c.halt:
			answers.Wait()
			return
		case <-time.After(time.Until(due)):
		}
		from := c.freePublisher(turn)
		if from == nil {
			c.skipped.Add(1)
			continue
		}
		answers.Add(1)
		c.send(from, c.channels[turn%len(c.channels)], answers.Done)
	}
}

// freePublisher is the next publisher that believes itself connected; nil if there is none.
func (c *crowd) freePublisher(turn int) *client {
	for step := range len(c.publishers) {
		if connection := c.publishers[(turn+step)%len(c.publishers)].connection(); connection != nil {
			return connection
		}
	}
	return nil
}

// send publishes once. It is answered after sdkTimeout at the latest, as the SDK does it.
func (c *crowd) send(from *client, to *crowdChannel, done func()) {
	number := c.bench.number.Add(1)
	id := strconv.FormatUint(number, 10)
	var once sync.Once
	answered := func(err error) {
		once.Do(func() {
			c.answered(to, number, err)
			done()
		})
	}
	c.sent.Add(1)
	c.journal.note('i', id, to.name)
	timer := time.AfterFunc(sdkTimeout, func() { answered(errTimeout) })
	message := stamp{due: c.bench.now(), number: number}.message(c.bytes)
	from.start(publishMembers(to.name, message), func(_ *reply, err error) {
		timer.Stop()
		answered(err)
	})
}

func (c *crowd) answered(to *crowdChannel, number uint64, err error) {
	id := strconv.FormatUint(number, 10)
	switch {
	case err == nil:
		c.acknowledged.Add(1)
		c.journal.note('a', id)
		for {
			last := to.acknowledged.Load()
			if last >= number || to.acknowledged.CompareAndSwap(last, number) {
				return
			}
		}
	case isRefusal(err):
		c.refused.Add(1)
		c.journal.note('r', id, oneLine(err))
	default:
		c.unknown.Add(1)
		c.journal.note('u', id, oneLine(err))
	}
}

// isRefusal: the server says that it has not taken a publication, nor will. 100 and 108 leave it open.
func isRefusal(err error) bool {
	var said *protocolError
	return errors.As(err, &said) && said.Code > 100 && said.Code != 108
}

// recently is how long ago a client that receives may have got something.
const recently = 3 * time.Second

// crowdLook is how a crowd is now.
type crowdLook struct {
	Clients int `json:"clients"`
	// In are those of them that are connected and subscribed.
	In int `json:"in"`
	// Receiving are those that got something of their channel a moment ago: who is in by a dead link does not know it yet.
	Receiving int `json:"receiving"`
	// Losses are connections that ended, since the crowd is there.
	Losses       int   `json:"losses"`
	Deliveries   int64 `json:"deliveries"`
	Sent         int64 `json:"sent"`
	Acknowledged int64 `json:"acknowledged"`
	Refused      int64 `json:"refused"`
	Unknown      int64 `json:"unknown"`
	// Skipped were due while no publisher was connected.
	Skipped int64 `json:"skipped"`
	// CPUSeconds is what this process has used since it began.
	CPUSeconds float64 `json:"cpuSeconds"`
}

func (c *crowd) look() crowdLook {
	out := crowdLook{
		Clients: len(c.attendees), Sent: c.sent.Load(), Acknowledged: c.acknowledged.Load(),
		Refused: c.refused.Load(), Unknown: c.unknown.Load(), Skipped: c.skipped.Load(), CPUSeconds: cpuSeconds(),
	}
	for _, a := range c.attendees {
		a.lock.Lock()
		if a.isIn {
			out.In++
		}
		if time.Since(a.heard) < recently {
			out.Receiving++
		}
		out.Losses += a.losses
		out.Deliveries += int64(a.received)
		a.lock.Unlock()
	}
	return out
}

// lookAtCrowd says how many are in, and what was sent.
func (b *bench) lookAtCrowd(command) (any, error) {
	if b.crowd == nil {
		return nil, errors.New("there is no crowd")
	}
	return b.crowd.look(), nil
}

// stopCrowd ends the publishing, waits until everybody is in and has the last of its channel, for at most seconds, then
// lets all go and completes the journal.
func (b *bench) stopCrowd(order command) (any, error) {
	c := b.crowd
	if c == nil {
		return nil, errors.New("there is no crowd")
	}
	b.crowd = nil
	close(c.halt)
	<-c.stopped
	waitUntil(order.duration(), func() bool {
		if c.isSettled() {
			return true
		}
		time.Sleep(50 * time.Millisecond)
		return false
	})
	// What comes twice comes later.
	time.Sleep(time.Second)
	out := c.look()
	err := c.journal.close()
	close(c.end)
	return out, err
}

func (c *crowd) isSettled() bool {
	last := map[string]uint64{}
	for _, channel := range c.channels {
		last[channel.name] = channel.acknowledged.Load()
	}
	for _, a := range c.attendees {
		a.lock.Lock()
		settled := a.isIn && a.last >= last[a.channel]
		a.lock.Unlock()
		if !settled {
			return false
		}
	}
	return true
}
