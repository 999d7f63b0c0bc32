package seal

import (
	"math"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Early way out: of a chunk of at least sampleFrom bytes, samples pieces of
// sampleSize bytes each are looked at first, evenly spread. If they do not shrink
// the whole chunk is not tried.
const (
	samples    = 4
	sampleSize = 4 << 10
	sampleFrom = 64 << 10
)

// unevenBits is the order-0 entropy of a byte, in the samples, below which they
// need not be compressed to know that they shrink. Random bytes have 7.99 there.
const unevenBits = 7.5

// minGain is the part of a chunk that compression must save: decoding is not free.
const minGain = 64

// Compress returns the stored form of a chunk: one zstd frame in dst's memory,
// from its start, which grows if it has to; or plain itself if that is not
// noticeably longer. It may be called from many goroutines at once.
func Compress(dst, plain []byte) ([]byte, Coding) {
	if len(plain) == 0 || len(plain) > MaxChunk {
		return plain, Plain
	}
	e := takeEncoder()
	defer encoders.Put(e)
	dst = slices.Grow(dst[:0], e.MaxEncodedSize(len(plain)))
	if len(plain) >= sampleFrom && !shrinks(e, dst, plain) {
		return plain, Plain
	}
	stored := e.EncodeAll(plain, dst)
	if !gains(len(stored), len(plain)) {
		return plain, Plain
	}
	return stored, Zstd
}

// shrinks reports whether the samples of plain are worth compressing. Of most data
// counting bytes tells; only where all bytes are about as frequent, as in random
// data, are the samples compressed: they may repeat themselves.
func shrinks(e *zstd.Encoder, dst, plain []byte) bool {
	if uneven(plain) {
		return true
	}
	n := 0
	for i := range samples {
		n += len(e.EncodeAll(sample(plain, i), dst))
	}
	return gains(n, samples*sampleSize)
}

func sample(plain []byte, i int) []byte {
	at := (len(plain) - sampleSize) / (samples - 1) * i
	return plain[at : at+sampleSize]
}

// uneven reports whether some bytes are so much more frequent in the samples than
// others that coding them by their frequency alone saves enough.
func uneven(plain []byte) bool {
	var counts [256]int32
	for i := range samples {
		for _, b := range sample(plain, i) {
			counts[b]++
		}
	}
	bits := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / (samples * sampleSize)
			bits -= p * math.Log2(p)
		}
	}
	return bits < unevenBits
}

func gains(stored, plain int) bool { return stored < plain-plain/minGain }

// encoders keeps encoders; each has a few MiB of tables and history.
var encoders sync.Pool

func takeEncoder() *zstd.Encoder {
	if e, ok := encoders.Get().(*zstd.Encoder); ok {
		return e
	}
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(1),
		zstd.WithSingleSegment(true), // then the content size is always there
		zstd.WithEncoderCRC(false),   // the chunk ID is a better one
		zstd.WithWindowSize(MaxChunk),
		// Without it, text that never repeats, as hexadecimal and base64 dumps, does
		// not shrink. What it costs for random bytes, the samples save.
		zstd.WithAllLitEntropyCompression(true),
	)
	if err != nil {
		panic("seal: zstd encoder: " + err.Error()) // only wrong options are refused
	}
	return e
}
