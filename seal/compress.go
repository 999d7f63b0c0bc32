package seal

import (
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Early way out: of a chunk of at least sampleFrom bytes, samples pieces of
// sampleSize bytes each are compressed first, evenly spread. If they do not shrink
// the whole chunk is not tried.
const (
	samples    = 4
	sampleSize = 4 << 10
	sampleFrom = 64 << 10
)

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

// shrinks reports whether the samples of plain are worth compressing.
func shrinks(e *zstd.Encoder, dst, plain []byte) bool {
	n := 0
	for i := range samples {
		at := (len(plain) - sampleSize) / (samples - 1) * i
		n += len(e.EncodeAll(plain[at:at+sampleSize], dst))
	}
	return gains(n, samples*sampleSize)
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
