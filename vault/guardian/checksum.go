package guardian

import "github.com/zeebo/blake3"

// checksumSize is how much of a hash finds what paper, cameras and fingers do.
const checksumSize = 6

// checksum finds damage; it protects from nobody.
//
//	SPEC: the first 6 bytes of BLAKE3(context || 00 || bytes)
func checksum(context string, p []byte) []byte {
	sum := hash(context, p)
	return sum[:checksumSize]
}

// hash is BLAKE3(context || 00 || parts).
func hash(context string, parts ...[]byte) (sum [32]byte) {
	h := blake3.New()
	h.Write(append([]byte(context), 0))
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum
}
