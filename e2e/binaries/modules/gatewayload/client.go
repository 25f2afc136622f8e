package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// How long the answer to a command may take.
const replyTimeout = 30 * time.Second

var (
	pushStart  = []byte(`{"push":`)
	pong       = []byte(`{}`)
	errTimeout = errors.New("no answer in time")
)

// reply is the answer to a command, as far as it is needed.
type reply struct {
	ID        uint32          `json:"id"`
	Error     *protocolError  `json:"error"`
	Subscribe *subscribeReply `json:"subscribe"`
	Connect   *connectReply   `json:"connect"`
}

// protocolError is what a server says to a command that it does not carry out.
type protocolError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	// Temporary: the same command may succeed later.
	Temporary bool `json:"temporary"`
}

func (e *protocolError) Error() string { return fmt.Sprintf("error %d %s", e.Code, e.Message) }

// closedError is a server's close frame, or the push that says the same.
type closedError struct {
	code   int
	reason string
}

func (e *closedError) Error() string {
	return fmt.Sprintf("closed by the server with %d %s", e.code, e.reason)
}

type connectReply struct {
	// Ping is how often the server pings, seconds; 0: never.
	Ping float64 `json:"ping"`
}

type subscribeReply struct {
	Epoch        string        `json:"epoch"`
	Offset       uint64        `json:"offset"`
	Recovered    bool          `json:"recovered"`
	Publications []publication `json:"publications"`
}

type publication struct {
	Data   json.RawMessage `json:"data"`
	Offset uint64          `json:"offset"`
	// Epoch is there only when it is another one than the subscription's.
	Epoch string `json:"epoch"`
}

type push struct {
	Push struct {
		Pub         *publication `json:"pub"`
		Unsubscribe *ended       `json:"unsubscribe"`
		Disconnect  *ended       `json:"disconnect"`
	} `json:"push"`
}

// ended is why a server ends a subscription or a connection.
type ended struct {
	Code   int    `json:"code"`
	Reason string `json:"reason"`
}

// client is one connection of the Centrifuge protocol in JSON
// (https://centrifugal.dev/docs/transports/client_protocol).
type client struct {
	wire *wire
	// onPush is given each push, as it came, by the goroutine that reads.
	onPush func(line []byte)
	// silence is how long nothing may come before the connection counts as dead; 0: for ever. Only the goroutine that
	// reads may set it.
	silence time.Duration

	lock    sync.Mutex
	lastID  uint32
	waiting map[uint32]func(*reply, error)
	err     error
	// done is closed when the connection has ended.
	done chan struct{}
}

// newClient takes over a wire, and proves who it is.
func newClient(w *wire, token string, onPush func([]byte)) (*client, error) {
	c := startClient(w, onPush)
	if _, err := c.call(connectMembers(token)); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// startClient takes over a wire, and says nothing yet.
func startClient(w *wire, onPush func([]byte)) *client {
	c := &client{wire: w, onPush: onPush, waiting: map[uint32]func(*reply, error){}, done: make(chan struct{})}
	go c.read()
	return c
}

// call sends a command and waits for its answer.
func (c *client) call(members string) (*reply, error) {
	type outcome struct {
		reply *reply
		err   error
	}
	came := make(chan outcome, 1)
	c.start(members, func(r *reply, err error) { came <- outcome{r, err} })
	timer := time.NewTimer(replyTimeout)
	defer timer.Stop()
	select {
	case out := <-came:
		return out.reply, out.err
	case <-timer.C:
		return nil, errTimeout
	}
}

// start sends a command. then is called once, with the answer or with what prevented it.
func (c *client) start(members string, then func(*reply, error)) {
	c.lock.Lock()
	if c.err != nil {
		c.lock.Unlock()
		then(nil, c.err)
		return
	}
	c.lastID++
	id := c.lastID
	c.waiting[id] = then
	c.lock.Unlock()
	text := append(strconv.AppendUint([]byte(`{"id":`), uint64(id), 10), ',')
	text = append(append(text, members...), '}')
	if err := c.wire.write(opText, text); err != nil {
		c.end(err)
	}
}

func (c *client) read() {
	for {
		if c.silence > 0 {
			_ = c.wire.conn.SetReadDeadline(time.Now().Add(c.silence))
		}
		opcode, payload, err := c.wire.frame()
		if err != nil {
			c.end(err)
			return
		}
		switch opcode {
		case opText:
			c.lines(payload)
		case opPing:
			_ = c.wire.write(opPong, payload)
		case opClose:
			c.end(closeError(payload))
			return
		}
	}
}

func closeError(payload []byte) error {
	if len(payload) < 2 {
		return errors.New("closed by the server")
	}
	return &closedError{code: int(payload[0])<<8 | int(payload[1]), reason: string(payload[2:])}
}

func (c *client) lines(payload []byte) {
	for len(payload) > 0 {
		line := payload
		if end := bytes.IndexByte(payload, '\n'); end >= 0 {
			line, payload = payload[:end], payload[end+1:]
		} else {
			payload = nil
		}
		switch {
		case bytes.HasPrefix(line, pushStart):
			c.onPush(line)
		case bytes.Equal(line, pong):
			// The server's ping has an answer of the same form.
			_ = c.wire.write(opText, pong)
		case len(line) > 0:
			c.answered(line)
		}
	}
}

func (c *client) answered(line []byte) {
	var r reply
	if err := json.Unmarshal(line, &r); err != nil {
		c.end(fmt.Errorf("unreadable: %w", err))
		return
	}
	c.lock.Lock()
	then := c.waiting[r.ID]
	delete(c.waiting, r.ID)
	c.lock.Unlock()
	if then == nil {
		return
	}
	if r.Error != nil {
		then(nil, r.Error)
		return
	}
	then(&r, nil)
}

// end fails what is under way, once.
func (c *client) end(err error) {
	c.lock.Lock()
	if c.err != nil {
		c.lock.Unlock()
		return
	}
	c.err = err
	waiting := c.waiting
	c.waiting = nil
	c.lock.Unlock()
	c.wire.conn.Close()
	for _, then := range waiting {
		then(nil, err)
	}
	close(c.done)
}

func (c *client) close() {
	c.wire.close()
	c.end(errors.New("closed by us"))
}

func connectMembers(token string) string {
	return `"connect":{"token":` + strconv.Quote(token) + `}`
}

func subscribeMembers(channel string) string {
	return `"subscribe":{"channel":` + strconv.Quote(channel) + `}`
}

func recoverMembers(channel, epoch string, offset uint64) string {
	return fmt.Sprintf(`"subscribe":{"channel":%q,"recover":true,"epoch":%q,"offset":%d}`, channel, epoch, offset)
}

func publishMembers(channel string, data []byte) string {
	return `"publish":{"channel":` + strconv.Quote(channel) + `,"data":` + string(data) + `}`
}
