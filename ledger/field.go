package ledger

import (
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"holdfast/internal/ident"
)

// Millis returns the form of a time in structures: milliseconds since 1970.
func Millis(t time.Time) int64 { return t.UnixMilli() }

// Time is the inverse of Millis.
func Time(ms int64) time.Time { return time.UnixMilli(ms) }

func validTime(ms int64) bool { return ms >= 0 && ms <= maxMillis }

func validSeconds(s int64) bool { return s >= 0 && s <= maxSeconds }

func validName(s string) bool { return len(s) <= MaxName && utf8.ValidString(s) }

// SPEC: network text (1 to 64 of a-z 0-9 -)
func validNetwork(s string) bool {
	return len(s) >= 1 && len(s) <= MaxNetwork && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// validRecipient checks the outer form of a hybrid age recipient. What it holds is
// for those to judge who seal to it.
func validRecipient(s string) bool {
	data, ok := strings.CutPrefix(s, "age1pq1")
	return ok && data != "" && len(s) <= MaxRecipient && strings.Trim(data, "qpzry9x8gf2tvdw0s3jn54khce6mua7l") == ""
}

func validAddrs(addrs []string) bool {
	if len(addrs) > MaxAddrs {
		return false
	}
	for _, a := range addrs {
		if a == "" || len(a) > MaxAddr {
			return false
		}
	}
	return true
}

// ascending reports whether keys are sorted and none is there twice.
func ascending[T any](items []T, key func(T) ident.PublicKey) bool {
	for i := 1; i < len(items); i++ {
		if key(items[i-1]).Compare(key(items[i])) >= 0 {
			return false
		}
	}
	return true
}

// validNames checks a list of structures' names: at most MaxTargets, sorted, none twice.
func validNames(names []ident.CID) bool {
	for i, c := range names {
		if !structure(c) || i > 0 && names[i-1].Compare(c) >= 0 {
			return false
		}
	}
	return len(names) <= MaxTargets
}

// structure says that c can name a structure of this package.
func structure(c ident.CID) bool { return c.Codec() == ident.DagCBOR }

// Raw is one encoded structure inside another. It is kept as it was received,
// because it is hashed or passed on. Its zero value is absent.
type Raw []byte

// MarshalCBOR returns the bytes as they are.
func (r Raw) MarshalCBOR() ([]byte, error) {
	if r.IsZero() {
		return nil, errors.New("encode structure: none")
	}
	return r, nil
}

// UnmarshalCBOR keeps a copy of the bytes.
func (r *Raw) UnmarshalCBOR(p []byte) error {
	*r = append(Raw(nil), p...)
	return nil
}

// IsZero lets an encoder leave out an optional structure.
func (r Raw) IsZero() bool { return len(r) == 0 }
