package main

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"testing"
	"time"
)

func TestBucketsHoldTheirValuesWithinASixtyFourth(t *testing.T) {
	last := -1
	for value := uint64(0); value < 1<<40; value += 1 + value/50 {
		bucket := bucketOf(value)
		upper := upperOf(bucket)
		if bucket < last || bucket >= buckets {
			t.Fatalf("bucket %d of %d after %d", bucket, value, last)
		}
		if upper < value || float64(upper-value) > float64(value)/64 {
			t.Fatalf("%d is counted as %d", value, upper)
		}
		last = bucket
	}
}

func TestAStampIsReadFromAPush(t *testing.T) {
	sent := stamp{due: 123456789 * time.Nanosecond, number: 42, run: 7}
	message := sent.message(128)
	if len(message) != 128 {
		t.Fatalf("%d bytes", len(message))
	}
	line := append([]byte(`{"push":{"channel":"chat:a","pub":{"data":`), message...)
	got, ok := readStamp(append(line, []byte(`,"offset":1}}}`)...))
	if !ok || got != sent {
		t.Fatalf("read %v", got)
	}
	if _, ok := readStamp([]byte(`{"push":{"channel":"chat:a"}}`)); ok {
		t.Fatal("a stamp was read where there is none")
	}
}

func TestFramesAreReadWhole(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536} {
		frame := appendHead(nil, opText, size)
		// A server's frame has no mask.
		frame[1] &= 0x7f
		frame = append(frame[:len(frame)-4], bytes.Repeat([]byte("a"), size)...)
		if _, _, to, err := parseFrame(frame[:len(frame)-1]); size > 0 && (to != 0 || err != nil) {
			t.Fatalf("size %d: a part was taken for the whole", size)
		}
		opcode, from, to, err := parseFrame(append(frame, 0xff))
		if err != nil || opcode != opText || to-from != size || to != len(frame) {
			t.Fatalf("size %d: %d from %d to %d, %v", size, opcode, from, to, err)
		}
	}
	if _, _, _, err := parseFrame([]byte{0x01, 0}); err == nil {
		t.Fatal("a fragment was taken")
	}
}

func TestRunsOfNumbers(t *testing.T) {
	var seen runs
	for _, number := range []uint64{1, 2, 3, 5, 6, 5, 9} {
		seen.add(number)
	}
	if got := seen.String(); got != "1-3,5-6,5,9" {
		t.Fatal(got)
	}
}

func TestEachKindOfVisitorHasItsShare(t *testing.T) {
	counts := make([]int, len(kinds))
	for number := 1_000; number < 1_200; number++ {
		counts[kindOf(number)]++
	}
	for index, kind := range kinds {
		if counts[index] != kind.share {
			t.Fatalf("%d of 200 visitors are of the kind %s", counts[index], kind.name)
		}
	}
}

func TestAHeaderBlockIsNotCompressed(t *testing.T) {
	if got := headerBlock([]string{":a", "bc"}); !bytes.Equal(got, []byte("\x00\x02:a\x02bc")) {
		t.Fatalf("%q", got)
	}
}

func TestWaitsAreTheSdks(t *testing.T) {
	for step, most := range map[int]time.Duration{0: time.Second, 1: 1500 * time.Millisecond, 3: 4500 * time.Millisecond, 40: sdkMaxDelay} {
		for range 200 {
			if wait := sdkDelay(step); wait < sdkMinDelay || wait > most {
				t.Fatalf("%s before attempt %d", wait, step)
			}
		}
	}
}

func TestAfterWhichWordsAClientDoesNotComeBack(t *testing.T) {
	for code, forGood := range map[int]bool{3000: false, 3012: false, 3500: true, 3999: true, 4000: false, 4500: true} {
		if isForGood(&closedError{code: code}) != forGood {
			t.Fatalf("%d is for good: %v", code, !forGood)
		}
	}
	if isForGood(errNoPing) {
		t.Fatal("silence is for good")
	}
}

func TestAJournalHasALineForEachEvent(t *testing.T) {
	name := t.TempDir() + "/journal"
	j, err := newJournal(name)
	if err != nil {
		t.Fatal(err)
	}
	j.note('c', "7", "40000")
	j.note('l', "7", oneLine(errors.New("read tcp 1.2.3.4:5->6.7.8.9:0: reset\nby peer")))
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	j.note('c', "8", "40001")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^b \d+\nc \d+ 7 40000\nl \d+ 7 reset by peer\n$`).Match(text) {
		t.Fatalf("%q", text)
	}
}
