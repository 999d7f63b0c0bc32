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
	aboutFrozen    = "frozen"    // charter that makes room for its successor
	aboutFrozenAt  = "frozen at" // ms, since when
	aboutForgets   = "forgets"   // number of changes of what is released
	aboutMoves     = "moves"     // names the order of the moves; absent until who holds what is filled in
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

// forgottenKey returns the vote key whose locks were lost, none if none were.
func (x index) forgottenKey() ident.PublicKey {
	key, err := ident.PublicKeyFromBytes(x.get(aboutBucket, []byte(aboutForgotten)))
	if err != nil {
		return ident.PublicKey{}
	}
	return key
}

func (x index) putForgotten(vote ident.PublicKey) error {
	return x.put(aboutBucket, []byte(aboutForgotten), vote.Bytes())
}
