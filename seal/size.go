package seal

import "math/bits"

// Sizes of the parts of an age file (C2SP age.md) with hybrid recipients.
const (
	headerBase    = 22 + 48 // the first line, and the one with the MAC
	headerStanza  = 1557    // one recipient
	maxRecipients = 8

	nonceSize     = 16
	tagSize       = 16
	pieceSize     = 64 << 10 // age's own chunks: one tag each
	sealedPiece   = pieceSize + tagSize
	targetSealed  = 32 << 20
	targetQuantum = 16 << 10 // a group of the shards' Bao trees
)

// MaxSealed is the largest sealed file: the largest segment of section 7.
const MaxSealed = 1 << 30

// What opening a file that is sealed to one or two recipients reads, whatever is
// read from it then: the first HeadSize and the last TailSize bytes, or fewer. Whoever fetches ranges asks for both, and
// for the range, at once.
const (
	HeadSize = 4096
	TailSize = sealedPiece
)

// SealedSize returns the length of the age file of n bytes for that many hybrid
// recipients.
func SealedSize(n int64, recipients int) int64 {
	return headerSize(recipients) + nonceSize + n + tagSize*max(1, (n+pieceSize-1)/pieceSize)
}

func headerSize(recipients int) int64 { return headerBase + headerStanza*int64(recipients) }

// plainSize is the reverse of SealedSize. Not every length is one of a sealed file.
func plainSize(sealed, header int64) (n int64, ok bool) {
	payload := sealed - header - nonceSize
	pieces := (payload + sealedPiece - 1) / sealedPiece
	n = payload - tagSize*pieces
	if sealed > MaxSealed || header < 0 || payload < tagSize {
		return 0, false
	}
	return n, tagSize*max(1, (n+pieceSize-1)/pieceSize)+n == payload
}

// maxPlain is the longest plaintext of a sealed file with that many recipients.
func maxPlain(recipients int) int64 { return atMost(MaxSealed, recipients) }

// atMost returns the largest n whose sealed file has at most limit bytes.
func atMost(limit int64, recipients int) int64 {
	payload := limit - headerSize(recipients) - nonceSize
	pieces := (payload + sealedPiece - 1) / sealedPiece
	// If the last piece has room for its tag only, it is not there.
	return max(payload-tagSize*pieces, pieceSize*(pieces-1))
}

// TargetSize returns the length of a full data segment's plaintext under a code
// with k data rows: the sealed file, for one recipient, is the largest multiple of
// k·16 KiB that is not above 32 MiB and is the length of a sealed file at all. Of
// a code, k is between 1 and 127.
func TargetSize(k int) int64 {
	quantum := int64(k) * targetQuantum
	for sealed := targetSealed / quantum * quantum; sealed > 0; sealed -= quantum {
		if n := atMost(sealed, 1); SealedSize(n, 1) == sealed {
			return n
		}
	}
	panic("seal: no target size for this code")
}

// Padme rounds a length up so that it tells little about what is inside, for at
// most 12 % more (PURBs: Nikitin et al., section 4).
func Padme(n int64) int64 {
	if n < 2 {
		return max(n, 0)
	}
	e := bits.Len64(uint64(n)) - 1
	s := bits.Len64(uint64(e))
	mask := int64(1)<<(e-s) - 1
	return (n + mask) &^ mask
}

// CipherRange returns which bytes of a sealed file with that header hold the
// plaintext [off, off+n): whole pieces of 64 KiB and a tag. The last piece of a
// file may be shorter, so hi may lie behind the end of the file.
func CipherRange(headerLen int, off, n int64) (lo, hi int64) {
	first := int64(headerLen) + nonceSize
	if n <= 0 {
		at := first + off/pieceSize*sealedPiece
		return at, at
	}
	return first + off/pieceSize*sealedPiece, first + ((off+n-1)/pieceSize+1)*sealedPiece
}
