package ident

import "github.com/multiformats/go-multibase"

// encodeText returns the multibase form of p.
func encodeText(base multibase.Encoding, p []byte) string {
	s, err := multibase.Encode(base, p)
	if err != nil {
		panic("ident: multibase: " + err.Error())
	}
	return s
}

// decodeText reads a multibase form of a known length, and nothing but the form
// that encodeText gives: no other base, letter case, padding or spare bits. The
// length comes first because decoding base58 takes quadratic time.
func decodeText(base multibase.Encoding, s string, length int) ([]byte, bool) {
	if len(s) != length {
		return nil, false
	}
	enc, p, err := multibase.Decode(s)
	if err != nil || enc != base || encodeText(base, p) != s {
		return nil, false
	}
	return p, true
}
