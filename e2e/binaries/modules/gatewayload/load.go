package main

import (
	"errors"
	"sync/atomic"
	"time"
)

const (
	// How long what is under way may take when the sending has ended.
	tailTime = 15 * time.Second
	// Publications that one connection may have under way: servers refuse more than 256.
	maxInFlight = 200
)

// load is one publish command: what was sent, and what came of it.
type load struct {
	run        int
	began      time.Time
	acks       tally
	deliveries atomic.Int64
	// lastAt is when the last delivery came, nanoseconds since began.
	lastAt    atomic.Int64
	ackTimes  histogram
	pushTimes histogram
}

func (l *load) delivered(took time.Duration) {
	l.deliveries.Add(1)
	l.pushTimes.add(took)
	l.lastAt.Store(int64(time.Since(l.began)))
}

// published is the result of publish. Times in milliseconds, from when a message was due.
type published struct {
	Sent int64 `json:"sent"`
	// Skipped were due while all publishers had as many under way as they may.
	Skipped      int64          `json:"skipped"`
	Acknowledged int64          `json:"acknowledged"`
	Failed       int64          `json:"failed"`
	Errors       map[string]int `json:"errors"`
	Deliveries   int64          `json:"deliveries"`
	Expected     int64          `json:"expected"`
	SendSeconds  float64        `json:"sendSeconds"`
	// Seconds from the first message to the last delivery.
	Seconds   float64      `json:"seconds"`
	AckTimes  [][2]float64 `json:"ackTimes"`
	PushTimes [][2]float64 `json:"pushTimes"`
}

// publisher is a connection that publishes, and how much of that is under way.
type publisher struct {
	member   *member
	channel  string
	inFlight atomic.Int64
}

// publish sends perSecond messages of bytes for seconds, evenly, by the connections of group in turn, whether or not
// answers come; to channel, or without one each to its own. Every subscriber in this process counts.
func (b *bench) publish(order command) (any, error) {
	publishers, receivers := b.publishers(order)
	if len(publishers) == 0 {
		return nil, errors.New("the group has no connection")
	}
	if order.Bytes < minBytes || order.PerSecond <= 0 {
		return nil, errors.New("bytes or perSecond is too small")
	}
	b.runs++
	l := &load{run: b.runs, began: time.Now()}
	b.current.Store(l)
	defer b.current.Store(nil)
	out := published{}
	var owed atomic.Int64
	total := int64(order.PerSecond * order.Seconds)
	origin := b.now()
	for next := int64(0); next < total; {
		// What is due by now; a late turn catches up, and its messages count from when they were due.
		due := min(total, int64((b.now()-origin).Seconds()*order.PerSecond)+1)
		for ; next < due; next++ {
			at := origin + time.Duration(float64(next)/order.PerSecond*float64(time.Second))
			from := free(publishers, next, order.InFlight)
			if from == nil {
				out.Skipped++
				continue
			}
			out.Sent++
			b.send(l, from, order.Bytes, at, func() { owed.Add(receivers[from.channel]) })
		}
		time.Sleep(500 * time.Microsecond)
	}
	out.SendSeconds = time.Since(l.began).Seconds()
	waitUntil(tailTime, func() bool {
		return l.acks.ok.Load()+l.acks.failed.Load() >= out.Sent && l.deliveries.Load() >= owed.Load()
	})
	out.Acknowledged, out.Failed, out.Errors = l.acks.ok.Load(), l.acks.failed.Load(), l.acks.errorCounts()
	out.Deliveries, out.Expected = l.deliveries.Load(), owed.Load()
	out.Seconds = time.Duration(l.lastAt.Load()).Seconds()
	out.AckTimes, out.PushTimes = l.ackTimes.milliseconds(), l.pushTimes.milliseconds()
	return out, nil
}

// publishers are the connections of the group; receivers how many connections each channel has.
func (b *bench) publishers(order command) ([]*publisher, map[string]int64) {
	receivers := map[string]int64{}
	for _, members := range b.groups {
		for _, m := range members {
			if m.channel != "" {
				receivers[m.channel]++
			}
		}
	}
	publishers := make([]*publisher, 0, len(b.groups[order.Group]))
	for _, m := range b.groups[order.Group] {
		channel := order.Channel
		if channel == "" {
			channel = m.channel
		}
		publishers = append(publishers, &publisher{member: m, channel: channel})
	}
	return publishers, receivers
}

// free is the publisher whose turn it is, or the next one that may have more under way; nil if none may.
func free(publishers []*publisher, turn int64, inFlight int) *publisher {
	most := int64(maxInFlight)
	if inFlight > 0 {
		most = int64(inFlight)
	}
	for step := range int64(len(publishers)) {
		p := publishers[(turn+step)%int64(len(publishers))]
		if p.inFlight.Load() < most {
			return p
		}
	}
	return nil
}

func (b *bench) send(l *load, from *publisher, size int, due time.Duration, acknowledged func()) {
	message := stamp{due: due, number: b.number.Add(1), run: l.run}.message(size)
	from.inFlight.Add(1)
	from.member.client.start(publishMembers(from.channel, message), func(_ *reply, err error) {
		from.inFlight.Add(-1)
		if err == nil {
			// Before the acknowledgement counts: the wait for the rest must not end in between.
			acknowledged()
			l.ackTimes.add(b.now() - due)
		}
		l.acks.count(err)
	})
}

func waitUntil(limit time.Duration, condition func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if condition() {
			return true
		}
	}
	return condition()
}

// echoed is the result of echo.
type echoed struct {
	Made    int64          `json:"made"`
	Failed  int64          `json:"failed"`
	Errors  map[string]int `json:"errors"`
	Seconds float64        `json:"seconds"`
}

// echo lets each connection of group publish rounds messages of bytes to its own channel, one after the other, and
// wait until each is acknowledged and has come back; concurrency connections at once.
func (b *bench) echo(order command) (any, error) {
	if order.Bytes < minBytes {
		return nil, errors.New("bytes is too small")
	}
	members := b.groups[order.Group]
	var count tally
	began := time.Now()
	eachOf(len(members), order.Concurrency, func(index int) {
		for range order.Rounds {
			count.count(b.oneEcho(members[index], order.Bytes))
		}
	})
	return echoed{
		Made:    count.ok.Load(),
		Failed:  count.failed.Load(),
		Errors:  count.errorCounts(),
		Seconds: time.Since(began).Seconds(),
	}, nil
}

func (b *bench) oneEcho(m *member, size int) error {
	number := b.number.Add(1)
	m.echoNumber.Store(number)
	if _, err := m.client.call(publishMembers(m.channel, stamp{due: b.now(), number: number}.message(size))); err != nil {
		return err
	}
	timer := time.NewTimer(replyTimeout)
	defer timer.Stop()
	select {
	case <-m.echo:
		return nil
	case <-m.client.done:
		return errors.New("closed while it waited")
	case <-timer.C:
		return errors.New("the message did not come back")
	}
}
