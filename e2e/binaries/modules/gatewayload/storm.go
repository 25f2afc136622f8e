package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// Waits between two attempts to come back: exponential with full jitter, as SDKs do it, only shorter, so that the
// server and not the waiting is measured.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 2 * time.Second
)

// runs is a list of numbers in the order in which they came, written short: 1-14, or 1-5,5-9 when 5 came twice.
type runs struct {
	list [][2]uint64
}

func (r *runs) add(number uint64) {
	if last := len(r.list) - 1; last >= 0 && r.list[last][1]+1 == number {
		r.list[last][1] = number
		return
	}
	r.list = append(r.list, [2]uint64{number, number})
}

func (r *runs) String() string {
	parts := make([]string, 0, len(r.list))
	for _, run := range r.list {
		if run[0] == run[1] {
			parts = append(parts, fmt.Sprint(run[0]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", run[0], run[1]))
		}
	}
	return strings.Join(parts, ",")
}

// follower is a subscriber that comes back after it has lost its server, and asks for what it missed.
type follower struct {
	bench   *bench
	address string
	channel string

	lock   sync.Mutex
	client *client
	epoch  string
	offset uint64
	seen   runs
	// lostAt and backAt are times since the start of this process; 0 for never.
	lostAt, backAt time.Duration
	attempts       int
	// unrecovered counts how often the server said that it can't give what was missed.
	unrecovered int
	stopped     bool
}

func newFollower(b *bench, address, channel string) *follower {
	return &follower{bench: b, address: address, channel: channel}
}

// begin connects and subscribes for the first time.
func (f *follower) begin() error {
	c, err := f.open()
	if err != nil {
		return err
	}
	answer, err := c.call(subscribeMembers(f.channel))
	if err == nil && answer.Subscribe == nil {
		err = errors.New("no subscribe reply")
	}
	if err != nil {
		c.close()
		return err
	}
	f.lock.Lock()
	f.client, f.epoch = c, answer.Subscribe.Epoch
	f.offset = max(f.offset, answer.Subscribe.Offset)
	f.lock.Unlock()
	go f.keep(c)
	return nil
}

func (f *follower) open() (*client, error) {
	w, err := dial(f.address, f.bench.config)
	if err != nil {
		return nil, err
	}
	return newClient(w, f.bench.token, f.pushed)
}

// keep comes back each time that the connection ends, until stop.
func (f *follower) keep(c *client) {
	for {
		<-c.done
		f.lock.Lock()
		stopped := f.stopped
		f.client, f.lostAt, f.backAt = nil, f.bench.now(), 0
		f.lock.Unlock()
		if stopped {
			return
		}
		if c = f.comeBack(); c == nil {
			return
		}
	}
}

func (f *follower) comeBack() *client {
	for attempt := 0; ; attempt++ {
		limit := min(maxBackoff, minBackoff<<min(attempt, 10))
		time.Sleep(time.Duration(rand.Int64N(int64(limit))))
		f.lock.Lock()
		stopped := f.stopped
		f.attempts++
		f.lock.Unlock()
		if stopped {
			return nil
		}
		c, err := f.open()
		if err != nil {
			continue
		}
		if f.resume(c) == nil {
			return c
		}
		c.close()
	}
}

// resume subscribes from the last offset. Publications that follow are pushed after the answer.
func (f *follower) resume(c *client) error {
	f.lock.Lock()
	members := recoverMembers(f.channel, f.epoch, f.offset)
	f.lock.Unlock()
	answered := make(chan error, 1)
	// In the goroutine that reads, so that no push overtakes what was missed.
	c.start(members, func(r *reply, err error) {
		if err == nil && r.Subscribe == nil {
			err = errors.New("no subscribe reply")
		}
		if err == nil {
			f.recovered(c, r.Subscribe)
		}
		answered <- err
	})
	select {
	case err := <-answered:
		return err
	case <-time.After(replyTimeout):
		return errTimeout
	}
}

func (f *follower) recovered(c *client, r *subscribeReply) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if !r.Recovered {
		f.unrecovered++
		f.offset = r.Offset
	}
	f.epoch = r.Epoch
	for _, p := range r.Publications {
		f.take(p)
	}
	f.client, f.backAt = c, f.bench.now()
}

func (f *follower) pushed(line []byte) {
	var p push
	if err := json.Unmarshal(line, &p); err != nil || p.Push.Pub == nil {
		return
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	f.take(*p.Push.Pub)
}

func (f *follower) take(p publication) {
	if stamp, ok := readStamp(p.Data); ok {
		f.seen.add(stamp.number)
	}
	f.offset = max(f.offset, p.Offset)
}

func (f *follower) stop() {
	f.lock.Lock()
	f.stopped = true
	c := f.client
	f.lock.Unlock()
	if c != nil {
		c.close()
	}
}

// feed publishes numbered messages to each channel in turn until it is told to stop.
type feed struct {
	end      chan struct{}
	done     chan struct{}
	channels []*feedChannel
	acks     tally
}

// feedChannel keeps which numbers of a channel were acknowledged.
type feedChannel struct {
	name  string
	lock  sync.Mutex
	sent  uint64
	acked []uint64
}

// startFeed lets the connections of group publish perSecond messages a second in all, to channels channels by turns.
// It ends by stopFeed, or after seconds.
func (b *bench) startFeed(order command) (any, error) {
	members := b.groups[order.Group]
	if b.feed != nil || len(members) == 0 || order.PerSecond <= 0 || order.Bytes < minBytes {
		return nil, errors.New("a feed runs already, or its group, rate or size is missing")
	}
	f := &feed{end: make(chan struct{}), done: make(chan struct{})}
	for number := range max(1, order.Channels) {
		f.channels = append(f.channels, &feedChannel{name: strings.ReplaceAll(order.Channel, "%d", fmt.Sprint(number))})
	}
	b.feed = f
	go f.run(b, members, order)
	return nil, nil
}

func (f *feed) run(b *bench, members []*member, order command) {
	defer close(f.done)
	began := time.Now()
	for turn := 0; ; turn++ {
		due := began.Add(time.Duration(float64(turn) / order.PerSecond * float64(time.Second)))
		select {
		case <-f.end:
			return
		case <-time.After(time.Until(due)):
		}
		if time.Since(began) > order.duration() {
			return
		}
		f.send(b, members[turn%len(members)], f.channels[turn%len(f.channels)], order.Bytes)
	}
}

func (f *feed) send(b *bench, m *member, to *feedChannel, size int) {
	to.lock.Lock()
	to.sent++
	number := to.sent
	to.lock.Unlock()
	message := stamp{due: b.now(), number: number}.message(size)
	m.client.start(publishMembers(to.name, message), func(_ *reply, err error) {
		if err == nil {
			to.lock.Lock()
			to.acked = append(to.acked, number)
			to.lock.Unlock()
		}
		f.acks.count(err)
	})
}

// fed is the result of feed-stop.
type fed struct {
	Sent         int64          `json:"sent"`
	Acknowledged int64          `json:"acknowledged"`
	Failed       int64          `json:"failed"`
	Errors       map[string]int `json:"errors"`
	// Numbers that were acknowledged, by channel.
	Channels map[string][]uint64 `json:"channels"`
}

// stopFeed ends the feed, and waits until all that it sent is answered.
func (b *bench) stopFeed(command) (any, error) {
	f := b.feed
	if f == nil {
		return nil, errors.New("no feed runs")
	}
	b.feed = nil
	close(f.end)
	<-f.done
	out := fed{Channels: map[string][]uint64{}}
	for _, c := range f.channels {
		out.Sent += int64(c.sent)
	}
	waitUntil(tailTime, func() bool { return f.acks.ok.Load()+f.acks.failed.Load() >= out.Sent })
	out.Acknowledged, out.Failed, out.Errors = f.acks.ok.Load(), f.acks.failed.Load(), f.acks.errorCounts()
	for _, c := range f.channels {
		c.lock.Lock()
		out.Channels[c.name] = append([]uint64{}, c.acked...)
		c.lock.Unlock()
	}
	return out, nil
}

// returned is the result of await-back. Times in milliseconds.
type returned struct {
	Lost        int `json:"lost"`
	Back        int `json:"back"`
	Attempts    int `json:"attempts"`
	Unrecovered int `json:"unrecovered"`
	// Seconds from the first loss until the last one was back and had what it missed.
	Seconds float64 `json:"seconds"`
	// From its own loss until each was back.
	Times [][2]float64 `json:"times"`
}

// awaitBack waits until all connections of group have lost their server and are back, for at most seconds.
func (b *bench) awaitBack(order command) (any, error) {
	followers := b.followers(order.Group)
	var out returned
	var times *histogram
	waitUntil(order.duration(), func() bool {
		out, times = b.look(followers)
		if out.Back < len(followers) {
			// Looking at all of them a thousand times a second would take CPU from them.
			time.Sleep(20 * time.Millisecond)
			return false
		}
		return true
	})
	out.Times = times.milliseconds()
	return out, nil
}

func (b *bench) followers(group string) []*follower {
	followers := []*follower{}
	for _, m := range b.groups[group] {
		if m.follower != nil {
			followers = append(followers, m.follower)
		}
	}
	return followers
}

func (b *bench) look(followers []*follower) (returned, *histogram) {
	var out returned
	times := &histogram{}
	first, last := time.Duration(0), time.Duration(0)
	for _, f := range followers {
		f.lock.Lock()
		lost, back := f.lostAt, f.backAt
		out.Attempts += f.attempts
		out.Unrecovered += f.unrecovered
		f.lock.Unlock()
		if lost == 0 {
			continue
		}
		out.Lost++
		if first == 0 || lost < first {
			first = lost
		}
		if back > 0 {
			out.Back++
			last = max(last, back)
			times.add(back - lost)
		}
	}
	out.Seconds = (last - first).Seconds()
	return out, times
}

// book is what one connection received, in order.
type book struct {
	Channel string `json:"channel"`
	Numbers string `json:"numbers"`
}

// books gives what each connection of group has received, when it is count messages in all, or after seconds.
func (b *bench) books(order command) (any, error) {
	followers := b.followers(order.Group)
	waitUntil(order.duration(), func() bool {
		size := 0
		for _, f := range followers {
			f.lock.Lock()
			for _, run := range f.seen.list {
				size += int(run[1]-run[0]) + 1
			}
			f.lock.Unlock()
		}
		if size >= order.Count {
			return true
		}
		time.Sleep(20 * time.Millisecond)
		return false
	})
	out := make([]book, 0, len(followers))
	for _, f := range followers {
		f.lock.Lock()
		out = append(out, book{Channel: f.channel, Numbers: f.seen.String()})
		f.lock.Unlock()
	}
	return out, nil
}
