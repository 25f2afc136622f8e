package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// journal is a file of what a crowd did and saw, one event a line, in the order in which this process saw it: what
// ended before something else began stands before it. Its words are parted by spaces:
//
//	b <unix milliseconds>                              it begins
//	i <ms> <id> <channel>                              a publication is sent
//	a <ms> <id>                                        it is acknowledged
//	r <ms> <id> <note>                                 it is refused for good
//	u <ms> <id> <note>                                 an error leaves it open, or no answer came
//	c <ms> <client> <port>                             a client is connected, from that port of ours
//	l <ms> <client> <note>                             it has lost its connection
//	f <ms> <client> <note>                             an attempt to connect failed
//	s <ms> <client> <channel> f|r|l <offset> <epoch>   it is subscribed: fresh, recovered, or what it missed is lost
//	d <ms> <client> <offset> <id> [<epoch>]            a publication came; epoch: of another stream
//	x <ms> <client> <note>                             the server sent it away for good
//
// Times are milliseconds since the journal began.
type journal struct {
	lock  sync.Mutex
	file  *os.File
	out   *bufio.Writer
	began time.Time
	line  []byte
	err   error
}

func newJournal(name string) (*journal, error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	j := &journal{file: file, out: bufio.NewWriterSize(file, 1<<20), began: time.Now()}
	j.out.WriteString("b " + strconv.FormatInt(j.began.UnixMilli(), 10) + "\n")
	return j, nil
}

// note writes one event. Its time is taken under the lock, so that times only grow.
func (j *journal) note(kind byte, words ...string) {
	j.lock.Lock()
	defer j.lock.Unlock()
	if j.out == nil {
		return
	}
	line := append(j.line[:0], kind, ' ')
	line = strconv.AppendInt(line, time.Since(j.began).Milliseconds(), 10)
	for _, word := range words {
		line = append(append(line, ' '), word...)
	}
	j.line = append(line, '\n')
	if _, err := j.out.Write(j.line); err != nil && j.err == nil {
		j.err = err
	}
}

// close writes what is left. What is noted afterwards is dropped: it belongs to the end of the clients.
func (j *journal) close() error {
	j.lock.Lock()
	defer j.lock.Unlock()
	err := j.out.Flush()
	j.out = nil
	if j.err != nil {
		err = j.err
	}
	if closing := j.file.Close(); err == nil {
		err = closing
	}
	return err
}

// oneLine keeps a note within its line.
func oneLine(err error) string {
	return strings.NewReplacer("\n", " ", "\r", " ").Replace(withoutAddresses(err.Error()))
}
