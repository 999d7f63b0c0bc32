package seal

import "strings"

const bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// bech32 writes p in the form of BIP-173, lower case, without its limit of 90
// characters. The human-readable part must be lower case too.
func bech32(hrp string, p []byte) string {
	var s strings.Builder
	s.WriteString(hrp)
	s.WriteByte('1')
	sum := uint32(1)
	for i := range len(hrp) {
		sum = bech32Step(sum, hrp[i]>>5)
	}
	sum = bech32Step(sum, 0)
	for i := range len(hrp) {
		sum = bech32Step(sum, hrp[i]&31)
	}
	put := func(v byte) {
		sum = bech32Step(sum, v)
		s.WriteByte(bech32Alphabet[v])
	}
	acc, bits := uint32(0), 0
	for _, b := range p {
		acc, bits = acc<<8|uint32(b), bits+8
		for ; bits >= 5; bits -= 5 {
			put(byte(acc >> (bits - 5) & 31))
		}
	}
	if bits > 0 {
		put(byte(acc << (5 - bits) & 31))
	}
	for range 6 {
		sum = bech32Step(sum, 0)
	}
	for i := range 6 {
		s.WriteByte(bech32Alphabet[(sum^1)>>(5*(5-i))&31])
	}
	return s.String()
}

// bech32Step adds five bits to the BCH checksum.
func bech32Step(sum uint32, v byte) uint32 {
	top := sum >> 25
	sum = sum&0x1ffffff<<5 ^ uint32(v)
	for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
		if top>>i&1 == 1 {
			sum ^= g
		}
	}
	return sum
}
