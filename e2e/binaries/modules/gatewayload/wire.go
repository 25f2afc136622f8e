package main

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	dialTimeout = 30 * time.Second
	path        = "/connection/websocket"
	// A server's frame that is larger than this breaks the connection.
	maxFrame = 8 << 20
	// Loopback addresses that connections come from by turns: one has 28,000 ports only, and those of connections that
	// have ended stay taken for a minute.
	sources = 64
)

// Opcodes (RFC 6455, 11.8).
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

var nextSource atomic.Uint32

func clientConfig(caFile, serverName string) (*tls.Config, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", caFile)
	}
	return &tls.Config{
		RootCAs:    roots,
		ServerName: serverName,
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{"http/1.1"},
		// One group that all servers have: with a choice, each server would pay for another key exchange.
		CurvePreferences: []tls.CurveID{tls.X25519},
	}, nil
}

// wire is a WebSocket over TLS, on HTTP/1.1 or on a stream of HTTP/2. One goroutine reads; any may write.
type wire struct {
	tls *tls.Conn
	// conn is what frames go through: tls itself, or a stream in it.
	conn    net.Conn
	buffer  []byte
	start   int
	writing sync.Mutex
	scratch []byte
}

// dial connects, and upgrades to WebSocket: RFC 6455, 4.1, or RFC 8441 if config asks for h2.
func dial(address string, config *tls.Config) (*wire, error) {
	return dialUntil(address, config, time.Now().Add(dialTimeout))
}

// dialUntil is dial with a time at which all must be done.
func dialUntil(address string, config *tls.Config, deadline time.Time) (*wire, error) {
	plain, err := dialTCP(address, deadline)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain, config)
	w := &wire{tls: conn, conn: conn}
	if err := w.open(address, deadline); err != nil {
		plain.Close()
		return nil, err
	}
	return w, nil
}

func dialTCP(address string, deadline time.Time) (net.Conn, error) {
	dialer := net.Dialer{Deadline: deadline, KeepAlive: -1}
	if isLoopback(address) {
		source := net.IPv4(127, 0, 0, byte(2+nextSource.Add(1)%sources))
		dialer.LocalAddr = &net.TCPAddr{IP: source}
	}
	return dialer.Dial("tcp", address)
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

func (w *wire) open(address string, deadline time.Time) error {
	if err := w.tls.SetDeadline(deadline); err != nil {
		return err
	}
	if err := w.tls.Handshake(); err != nil {
		return err
	}
	var err error
	if w.tls.ConnectionState().NegotiatedProtocol == "h2" {
		w.conn, err = openStream(w.tls, address)
	} else {
		err = w.upgrade(address)
	}
	if err != nil {
		return err
	}
	return w.tls.SetDeadline(time.Time{})
}

// upgrade asks for a WebSocket over HTTP/1.1.
func (w *wire) upgrade(address string) error {
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		return err
	}
	key := base64.StdEncoding.EncodeToString(nonce)
	request := "GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: " + key + "\r\nSec-WebSocket-Version: 13\r\n\r\n"
	if _, err := w.conn.Write([]byte(request)); err != nil {
		return err
	}
	return w.readHead(key)
}

// readHead checks the answer to the upgrade, and keeps what came after it.
func (w *wire) readHead(key string) error {
	for {
		if end := strings.Index(string(w.buffer), "\r\n\r\n"); end >= 0 {
			head := string(w.buffer[:end])
			w.start = end + 4
			return checkHead(head, key)
		}
		if len(w.buffer) > 16<<10 {
			return errors.New("no end of the HTTP head")
		}
		if err := w.fill(); err != nil {
			return err
		}
	}
}

func checkHead(head, key string) error {
	if !strings.HasPrefix(head, "HTTP/1.1 101") {
		line, _, _ := strings.Cut(head, "\r\n")
		return fmt.Errorf("not upgraded: %s", line)
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if !strings.Contains(head, base64.StdEncoding.EncodeToString(sum[:])) {
		return errors.New("wrong Sec-WebSocket-Accept")
	}
	return nil
}

// fill reads more, and moves what is left to the beginning when there is no room.
func (w *wire) fill() error {
	if w.start == len(w.buffer) {
		w.buffer, w.start = w.buffer[:0], 0
	}
	if cap(w.buffer)-len(w.buffer) < 1024 {
		w.grow()
	}
	n, err := w.conn.Read(w.buffer[len(w.buffer):cap(w.buffer)])
	w.buffer = w.buffer[:len(w.buffer)+n]
	if n > 0 {
		return nil
	}
	return err
}

func (w *wire) grow() {
	left := w.buffer[w.start:]
	size := max(4096, cap(w.buffer))
	if len(left) > size/2 {
		size *= 2
	}
	larger := make([]byte, len(left), size)
	copy(larger, left)
	w.buffer, w.start = larger, 0
}

// frame gives the next frame. Its payload is valid until the next call.
func (w *wire) frame() (opcode byte, payload []byte, err error) {
	for {
		opcode, from, to, err := parseFrame(w.buffer[w.start:])
		if err != nil {
			return 0, nil, err
		}
		if to > 0 {
			payload = w.buffer[w.start+from : w.start+to]
			w.start += to
			return opcode, payload, nil
		}
		if err := w.fill(); err != nil {
			return 0, nil, err
		}
	}
}

// parseFrame says where the payload of the first frame in data begins and ends; to is 0 while it is not whole
// (RFC 6455, 5.2). Servers send neither masked frames nor, here, fragments.
func parseFrame(data []byte) (opcode byte, from, to int, err error) {
	if len(data) < 2 {
		return 0, 0, 0, nil
	}
	if data[0]&0x80 == 0 || data[1]&0x80 != 0 {
		return 0, 0, 0, errors.New("a fragment or a masked frame")
	}
	size, from := uint64(data[1]), 2
	switch size {
	case 126:
		from = 4
		if len(data) < from {
			return 0, 0, 0, nil
		}
		size = uint64(binary.BigEndian.Uint16(data[2:]))
	case 127:
		from = 10
		if len(data) < from {
			return 0, 0, 0, nil
		}
		size = binary.BigEndian.Uint64(data[2:])
	}
	if size > maxFrame {
		return 0, 0, 0, fmt.Errorf("a frame of %d bytes", size)
	}
	if to = from + int(size); len(data) < to {
		return 0, 0, 0, nil
	}
	return data[0] & 0x0f, from, to, nil
}

// write sends one frame. The mask is zero, which leaves the payload as it is: it protects proxies, and there is none.
func (w *wire) write(opcode byte, payload []byte) error {
	w.writing.Lock()
	defer w.writing.Unlock()
	w.scratch = appendHead(w.scratch[:0], opcode, len(payload))
	w.scratch = append(w.scratch, payload...)
	_, err := w.conn.Write(w.scratch)
	if cap(w.scratch) > 8<<10 {
		w.scratch = nil
	}
	return err
}

func appendHead(to []byte, opcode byte, size int) []byte {
	to = append(to, 0x80|opcode)
	switch {
	case size < 126:
		to = append(to, 0x80|byte(size))
	case size <= 0xffff:
		to = append(to, 0x80|126, byte(size>>8), byte(size))
	default:
		to = binary.BigEndian.AppendUint64(append(to, 0x80|127), uint64(size))
	}
	return append(to, 0, 0, 0, 0)
}

// close says goodbye on every level and does not wait for the answer.
func (w *wire) close() {
	w.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_ = w.write(opClose, []byte{0x03, 0xe8})
	w.conn.Close()
}

// drop ends the TCP connection without a word on any level; reset: by RST instead of FIN.
func (w *wire) drop(reset bool) {
	plain := w.tls.NetConn()
	if tcp, ok := plain.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	plain.Close()
}
