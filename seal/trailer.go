package seal

import (
	"encoding/binary"
	"fmt"
)

// TrailerSize is the length of a metadata segment's trailer, its last bytes.
const TrailerSize = 32

const trailerMagic = "hfmeta1\x00"

// AppendTrailer appends the trailer of a metadata segment whose parts A, B and C
// have these sealed lengths.
func AppendTrailer(dst []byte, a, b, c int64) []byte {
	dst = append(dst, trailerMagic...)
	for _, n := range []int64{a, b, c} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(n))
	}
	return dst
}

// ParseTrailer reads the last 32 bytes of a metadata segment of total bytes, and
// returns the sealed lengths of A, which begins at 0, of B, which follows it, and of
// C. The trailer is not authenticated; what the parts hold is.
func ParseTrailer(p []byte, total int64) (a, b, c int64, err error) {
	if len(p) != TrailerSize || string(p[:8]) != trailerMagic {
		return 0, 0, 0, fmt.Errorf("read trailer: %w: no metadata segment", ErrMalformed)
	}
	var n [3]uint64
	sum := uint64(TrailerSize)
	fits := total <= MaxSealed
	for i := range n {
		n[i] = binary.LittleEndian.Uint64(p[8+8*i:])
		fits = fits && n[i] > 0 && n[i] <= MaxSealed
		sum += n[i]
	}
	if !fits || sum != uint64(total) {
		return 0, 0, 0, fmt.Errorf("read trailer: %w: parts of %d, %d and %d bytes in a segment of %d", ErrMalformed, n[0], n[1], n[2], total)
	}
	return int64(n[0]), int64(n[1]), int64(n[2]), nil
}
