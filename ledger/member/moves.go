package member

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"holdfast/internal/ident"
	"holdfast/internal/wire"
	"holdfast/ledger"
	"holdfast/ledger/custody"
)

// Bounds of what Moves returns at once.
const (
	MaxMoves      = 1024
	MaxMovesBytes = 8 << 20 // if there is more than one
)

// Moves returns the later placements that count, in the order in which this store got
// them, from a cursor on, and the cursor behind them; none means that there are no more.
// The order is this database's: a cursor of one that is lost is the beginning.
func (s *Store) Moves(vault ident.CID, from ledger.MovesCursor) ([]ledger.Placement, ledger.MovesCursor, error) {
	v, err := s.vault(vault)
	if err != nil {
		return nil, from, err
	}
	next := from
	if next.Store, err = v.movesStore(); err != nil {
		return nil, from, err
	}
	if next.Store != from.Store {
		next.Next = 0
	}
	for {
		var list []move
		err = v.read(func(x index) (err error) {
			list, err = x.movesFrom(next.Next)
			return err
		})
		if err != nil || len(list) == 0 {
			return nil, next, err
		}
		var out []ledger.Placement
		if out, next.Next = v.readMoves(list); len(out) > 0 {
			return out, next, nil
		}
	}
}

func (v *vault) movesStore() (name [8]byte, err error) {
	err = v.read(func(x index) error {
		name = x.moves()
		return nil
	})
	return name, err
}

// readMoves reads the receipts of a page, as many as fit, and returns which number comes
// behind them. One that is damaged is left out: other members tell it. So is one that was
// replaced meanwhile: the newer one comes behind.
func (v *vault) readMoves(list []move) (out []ledger.Placement, next int64) {
	total := 0
	for _, m := range list {
		l, counts, err := v.keptPlacement(m.receipt)
		if err != nil {
			v.store.cfg.Log.Warn("placement is not told", "vault", v.id, "receipt", m.receipt, "error", err)
		}
		if !counts {
			next = m.seq + 1
			continue
		}
		if total += len(l.Receipt.Object) + len(l.Cert.Object); len(out) > 0 && total > MaxMovesBytes {
			break
		}
		out, next = append(out, l), m.seq+1
	}
	return out, next
}

// move is one receipt in the order.
type move struct {
	seq     int64
	receipt ident.CID
}

func (x index) movesFrom(seq int64) (list []move, err error) {
	c := x.bucket(movesBucket).Cursor()
	for k, p := c.Seek(number(seq)); k != nil && len(list) < MaxMoves; k, p = c.Next() {
		id, err := ident.CIDFromBytes(p)
		if err != nil || len(k) != 8 {
			return nil, fmt.Errorf("read order of placements: %w", ErrCorrupt)
		}
		list = append(list, move{int64(binary.BigEndian.Uint64(k)), id})
	}
	return list, nil
}

// beginMoves gives the order a name of its own, once.
func (x index) beginMoves() error {
	if x.moves() != [8]byte{} {
		return nil
	}
	var name [8]byte
	if _, err := rand.Read(name[:]); err != nil {
		return err
	}
	return x.put(aboutBucket, []byte(aboutMoves), name[:])
}

// moves returns the name of the order, zero before it has one.
func (x index) moves() (name [8]byte) {
	copy(name[:], x.get(aboutBucket, []byte(aboutMoves)))
	return name
}

// entered is what is known of a receipt that counts.
type entered struct {
	counts int64 // shards for which it is the newest
	seq    int64
	holder uint16
}

const enteredSize = 8 + 8 + 2

func (e entered) encode() []byte {
	return binary.BigEndian.AppendUint16(append(number(e.counts), number(e.seq)...), e.holder)
}

func (x index) entered(receipt ident.CID) (entered, error) {
	p := x.get(receiptsBucket, receipt.Bytes())
	if len(p) != enteredSize {
		return entered{}, fmt.Errorf("read receipt %s: %w", receipt, ErrCorrupt)
	}
	return entered{int64(binary.BigEndian.Uint64(p)), int64(binary.BigEndian.Uint64(p[8:])), binary.BigEndian.Uint16(p[16:])}, nil
}

// enter puts a receipt that counts for so many shards at the end of the order.
func (x index) enter(receipt ident.CID, counts int64, c ledger.NodeCertificate) error {
	holder, err := x.holder(c)
	if err != nil {
		return err
	}
	next, err := x.bucket(movesBucket).NextSequence()
	if err != nil {
		return err
	}
	e := entered{counts, int64(next), holder}
	if err := x.put(movesBucket, number(e.seq), receipt.Bytes()); err != nil {
		return err
	}
	return x.put(receiptsBucket, receipt.Bytes(), e.encode())
}

// release counts a receipt for one shard less, and returns for how many it counts.
func (x index) release(receipt ident.CID) (int64, error) {
	e, err := x.entered(receipt)
	if err != nil {
		return 0, err
	}
	if e.counts--; e.counts > 0 {
		return e.counts, x.put(receiptsBucket, receipt.Bytes(), e.encode())
	}
	if err := x.bucket(movesBucket).Delete(number(e.seq)); err != nil {
		return 0, err
	}
	return 0, x.bucket(receiptsBucket).Delete(receipt.Bytes())
}

// holderBy returns who has signed a receipt that counts, by number.
func (x index) holderBy(receipt ident.CID) (int, error) {
	e, err := x.entered(receipt)
	if err != nil || e.holder == nowhere {
		return custody.Nowhere, err
	}
	return int(e.holder), nil
}

// Pulled returns from where on the moves of another member are to be asked for.
func (s *Store) Pulled(vault ident.CID, operator ident.PublicKey) (ledger.MovesCursor, error) {
	var at ledger.MovesCursor
	v, err := s.vault(vault)
	if err != nil {
		return at, err
	}
	err = v.read(func(x index) error {
		p := x.get(pulledBucket, operator.Bytes())
		if p == nil {
			return nil
		}
		return wire.Decode(p, &at)
	})
	return at, err
}

// SetPulled remembers that all before a cursor was taken, or will never be. What is lost
// of it is asked for again.
func (s *Store) SetPulled(vault ident.CID, operator ident.PublicKey, at ledger.MovesCursor) error {
	v, err := s.vault(vault)
	if err != nil {
		return err
	}
	p, err := wire.Encode(at)
	if err != nil {
		return err
	}
	return v.write(func(x index) error { return x.put(pulledBucket, operator.Bytes(), p) })
}
