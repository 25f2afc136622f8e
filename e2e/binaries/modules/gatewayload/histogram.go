package main

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts times by size, exact to 1/64, from any number of goroutines.
type histogram struct {
	counts [buckets]atomic.Uint64
}

const (
	// Buckets for each power of two.
	steps    = 64
	stepBits = 6
	buckets  = (64 - stepBits + 1) * steps
)

// bucketOf is the bucket of a value: values below 64 have one each, every further power of two has 64.
func bucketOf(value uint64) int {
	shift := max(0, bits.Len64(value)-stepBits-1)
	return shift*steps + int(value>>shift)
}

// upperOf is the largest value of a bucket.
func upperOf(bucket int) uint64 {
	shift := max(0, bucket/steps-1)
	return (uint64(bucket-shift*steps)+1)<<shift - 1
}

func (h *histogram) add(value time.Duration) {
	h.counts[bucketOf(uint64(max(0, value)))].Add(1)
}

// milliseconds gives the buckets that are not empty as pairs of largest value in milliseconds and count, ascending.
func (h *histogram) milliseconds() [][2]float64 {
	out := [][2]float64{}
	for bucket := range h.counts {
		if count := h.counts[bucket].Load(); count > 0 {
			out = append(out, [2]float64{float64(upperOf(bucket)) / 1e6, float64(count)})
		}
	}
	return out
}
