package member

import (
	"encoding/binary"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
)

// What the database knows of a vault as a whole, besides its buckets.
const (
	aboutCharter   = "charter"   // the first charter, as signed
	aboutAccepted  = "accepted"  // ms, the time in the acceptance
	aboutEntries   = "entries"   // number of certified entries
	aboutForgotten = "forgotten" // vote key whose locks were lost
)

func (x index) putCharter(s ident.Signed) error {
	p, err := wire.Encode(s)
	if err != nil {
		return err
	}
	return x.put(aboutBucket, []byte(aboutCharter), p)
}

func (x index) charter() (ident.Signed, error) {
	var s ident.Signed
	if err := wire.Decode(x.get(aboutBucket, []byte(aboutCharter)), &s); err != nil {
		return ident.Signed{}, fmt.Errorf("read charter: %w", err)
	}
	return s, nil
}

func (x index) number(name string) int64 {
	p := x.get(aboutBucket, []byte(name))
	if len(p) != 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(p))
}

func (x index) putNumber(name string, n int64) error {
	return x.put(aboutBucket, []byte(name), number(n))
}

// forgotten reports whether the locks under a vote key were lost.
func (x index) forgotten(vote ident.PublicKey) bool {
	return string(x.get(aboutBucket, []byte(aboutForgotten))) == string(vote.Bytes())
}

func (x index) putForgotten(vote ident.PublicKey) error {
	return x.put(aboutBucket, []byte(aboutForgotten), vote.Bytes())
}
