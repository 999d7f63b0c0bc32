package seal

import (
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Expand returns the plaintext of a stored chunk, which must have exactly size
// bytes, in dst's memory, from its start, which grows if it has to. It is not yet
// checked against the chunk's ID. It takes no more memory than size and a fixed
// amount. The error is ErrChunk. It may be called from many goroutines at once.
func Expand(dst, stored []byte, coding Coding, size int) ([]byte, error) {
	if size <= 0 || size > MaxChunk || len(stored) > MaxChunk {
		return nil, fmt.Errorf("expand chunk: %w: %d bytes from %d", ErrChunk, size, len(stored))
	}
	switch coding {
	case Plain:
		if len(stored) != size {
			return nil, fmt.Errorf("expand chunk: %w: %d bytes instead of %d", ErrChunk, len(stored), size)
		}
		return append(dst[:0], stored...), nil
	case Zstd:
		return expandZstd(dst, stored, size)
	default:
		return nil, fmt.Errorf("expand chunk: %w: coding %d", ErrChunk, coding)
	}
}

// slack is room behind the output in which the decoder is faster.
const slack = 16

func expandZstd(dst, stored []byte, size int) ([]byte, error) {
	if !isFrame(stored, size) {
		return nil, fmt.Errorf("expand chunk: %w: not one zstd frame of %d bytes", ErrChunk, size)
	}
	d := takeDecoder()
	defer decoders.Put(d)
	dst = slices.Grow(dst[:0], size+slack)
	plain, err := d.DecodeAll(stored, dst[:0:size+slack])
	if err != nil || len(plain) != size {
		return nil, fmt.Errorf("expand chunk: %w: zstd frame is damaged", ErrChunk)
	}
	return plain, nil
}

// isFrame reports whether p has the outward form of one zstd frame (RFC 8878,
// section 3.1.1) whose header announces size bytes, with nothing after it. A frame
// with a dictionary is none that a reader could decode.
func isFrame(p []byte, size int) bool {
	var h zstd.Header
	rest, err := h.DecodeAndStrip(p)
	if err != nil || h.Skippable || h.DictionaryID != 0 || h.WindowSize > MaxChunk {
		return false
	}
	if !h.HasFCS || h.FrameContentSize != uint64(size) {
		return false
	}
	const headerSize, blockRLE = 3, 1
	for last := false; !last; {
		if len(rest) < headerSize {
			return false
		}
		b := int(rest[0]) | int(rest[1])<<8 | int(rest[2])<<16
		last = b&1 == 1
		length := b >> 3
		if b>>1&3 == blockRLE {
			length = 1
		}
		if len(rest) < headerSize+length {
			return false
		}
		rest = rest[headerSize+length:]
	}
	if h.HasCheckSum {
		return len(rest) == 4
	}
	return len(rest) == 0
}

// decoders keeps decoders.
var decoders sync.Pool

func takeDecoder() *zstd.Decoder {
	if d, ok := decoders.Get().(*zstd.Decoder); ok {
		return d
	}
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(MaxChunk),
		zstd.WithDecoderMaxWindow(MaxChunk),
		zstd.WithDecodeAllCapLimit(true),
	)
	if err != nil {
		panic("seal: zstd decoder: " + err.Error()) // only wrong options are refused
	}
	return d
}
