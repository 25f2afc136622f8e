package main

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// A message is a JSON text that says when it was due and in which run, so that its receiver needs no table:
// "@<nanoseconds, 16 digits>.<number, 10 digits>.<run, 4 digits>xxx…".
const (
	stampSize = 2 + 16 + 1 + 10 + 1 + 4
	minBytes  = stampSize + 1
)

var stampStart = []byte(`"@`)

// stamp is what a message carries.
type stamp struct {
	// due is the time at which the message was to be sent, since the start of this process.
	due    time.Duration
	number uint64
	run    int
}

// message is a JSON text of size bytes, quotes included.
func (s stamp) message(size int) []byte {
	head := fmt.Sprintf(`"@%016d.%010d.%04d`, s.due.Nanoseconds(), s.number, s.run)
	out := make([]byte, 0, size)
	out = append(out, head...)
	for len(out) < size-1 {
		out = append(out, 'x')
	}
	return append(out, '"')
}

// readStamp finds the stamp in a push or in the data of a publication; false if it has none.
func readStamp(line []byte) (stamp, bool) {
	at := bytes.Index(line, stampStart)
	if at < 0 || len(line) < at+stampSize {
		return stamp{}, false
	}
	text := line[at+2 : at+stampSize]
	due, err := strconv.ParseInt(string(text[:16]), 10, 64)
	if err != nil {
		return stamp{}, false
	}
	number, err := strconv.ParseUint(string(text[17:27]), 10, 64)
	if err != nil {
		return stamp{}, false
	}
	run, err := strconv.Atoi(string(text[28:32]))
	if err != nil {
		return stamp{}, false
	}
	return stamp{due: time.Duration(due), number: number, run: run}, true
}
