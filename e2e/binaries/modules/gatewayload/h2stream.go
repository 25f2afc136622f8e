package main

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Types of frames, flags and settings of HTTP/2 (RFC 9113, 6).
const (
	h2Data         = 0
	h2Headers      = 1
	h2Reset        = 3
	h2Settings     = 4
	h2Ping         = 6
	h2GoAway       = 7
	h2WindowUpdate = 8

	h2EndStream  = 1
	h2Ack        = 1
	h2EndHeaders = 4

	h2InitialWindow = 4
	// So much is never received, so that nothing needs to be asked for anew.
	h2Window = 1 << 30
	// The first request of a client.
	h2Stream = 1
)

// stream is a WebSocket on an HTTP/2 connection of its own: what is read and written are the bytes in its DATA frames.
// It keeps no window for what it sends, which must be less than 64 KiB in all.
type stream struct {
	*tls.Conn
	in      *bufio.Reader
	left    []byte
	ended   bool
	writing sync.Mutex
}

// openStream sends an extended CONNECT (RFC 8441, 5) and waits until it is accepted.
func openStream(conn *tls.Conn, authority string) (*stream, error) {
	s := &stream{Conn: conn, in: bufio.NewReader(conn)}
	settings := binary.BigEndian.AppendUint32([]byte{0, h2InitialWindow}, h2Window)
	hello := appendFrame([]byte(http2Preface), h2Settings, 0, 0, settings)
	hello = appendFrame(hello, h2WindowUpdate, 0, 0, binary.BigEndian.AppendUint32(nil, h2Window))
	if _, err := conn.Write(hello); err != nil {
		return nil, err
	}
	// The server's settings, which say that it knows the extended CONNECT, come first.
	if kind, _, _, err := s.frame(); err != nil {
		return nil, err
	} else if kind != h2Settings {
		return nil, fmt.Errorf("no settings but a frame of type %d", kind)
	}
	head := []string{
		":method", "CONNECT", ":protocol", "websocket", ":scheme", "https",
		":authority", authority, ":path", path, "sec-websocket-version", "13",
	}
	if err := s.send(h2Headers, h2EndHeaders, h2Stream, headerBlock(head)); err != nil {
		return nil, err
	}
	for {
		kind, _, payload, err := s.frame()
		if err != nil {
			return nil, err
		}
		switch kind {
		case h2Headers:
			// Entry 8 of the static table: ":status: 200" (RFC 7541, A).
			if len(payload) == 0 || payload[0] != 0x80|8 {
				return nil, errors.New("not accepted as a WebSocket")
			}
			return s, nil
		case h2Reset, h2GoAway:
			return nil, errors.New("the stream was refused")
		}
	}
}

// Read gives what comes in DATA frames.
func (s *stream) Read(to []byte) (int, error) {
	for len(s.left) == 0 {
		if s.ended {
			return 0, io.EOF
		}
		kind, flags, payload, err := s.frame()
		switch {
		case err != nil:
			return 0, err
		case kind == h2Data:
			s.left = payload
			s.ended = flags&h2EndStream != 0
		case kind == h2Reset || kind == h2GoAway:
			return 0, io.EOF
		}
	}
	n := copy(to, s.left)
	s.left = s.left[n:]
	return n, nil
}

func (s *stream) Write(data []byte) (int, error) {
	return len(data), s.send(h2Data, 0, h2Stream, data)
}

// frame reads the next frame; settings and pings are answered.
func (s *stream) frame() (kind, flags byte, payload []byte, err error) {
	head := make([]byte, 9)
	if _, err := io.ReadFull(s.in, head); err != nil {
		return 0, 0, nil, err
	}
	kind, flags = head[3], head[4]
	payload = make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	if _, err := io.ReadFull(s.in, payload); err != nil {
		return 0, 0, nil, err
	}
	if flags&h2Ack == 0 {
		switch kind {
		case h2Settings:
			err = s.send(h2Settings, h2Ack, 0, nil)
		case h2Ping:
			err = s.send(h2Ping, h2Ack, 0, payload)
		}
	}
	return kind, flags, payload, err
}

func (s *stream) send(kind, flags byte, id uint32, payload []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	_, err := s.Conn.Write(appendFrame(nil, kind, flags, id, payload))
	return err
}

// appendFrame appends a frame (RFC 9113, 4.1).
func appendFrame(to []byte, kind, flags byte, id uint32, payload []byte) []byte {
	size := len(payload)
	to = append(to, byte(size>>16), byte(size>>8), byte(size), kind, flags)
	return append(binary.BigEndian.AppendUint32(to, id), payload...)
}

// headerBlock writes names and values by turns, not compressed (RFC 7541, 6.2.2); each of at most 126 bytes.
func headerBlock(fields []string) []byte {
	var block []byte
	for index, text := range fields {
		if index%2 == 0 {
			block = append(block, 0)
		}
		block = append(append(block, byte(len(text))), text...)
	}
	return block
}
