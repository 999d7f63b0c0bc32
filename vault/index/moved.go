package index

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"holdfast/internal/ident"
)

// Move is the word of a holder that it has a shard which the entry's body gives to
// somebody else, or to nobody: a completion, or a repair. The caller has verified it.
// Of each operator the newest for a shard is kept: which of several operators' counts is
// the ledger's to say, and nobody's word erases another's.
type Move struct {
	Segment  ident.CID
	Shard    int // index in its segment
	Node     ident.PublicKey
	Operator ident.PublicKey // whose node it is, by the certificate that came with the receipt
	Time     int64           // ms, of the holder's receipt
	Receipt  ident.CID       // of the same
}

// newer orders moves of one shard, as the ledger does: by time, then by the receipts'
// names.
func (m Move) newer(than Move) bool {
	return cmp.Or(cmp.Compare(m.Time, than.Time), m.Receipt.Compare(than.Receipt)) > 0
}

// Holder is whose node it is, by a certificate that was verified.
type Holder struct {
	Node, Operator ident.PublicKey
	Zone, Name     string // the name is the operator's
	Serial         int64  // ms: of two certificates the newer one counts
}

// Cursor is how far a member's moves are known.
type Cursor struct {
	Store [8]byte // a member that began a new store counts anew
	Next  int64
}

const (
	placeRow   = 1 + 8 + ident.CIDSize + 32 + 32
	cursorSize = 8 + 8
	keyCursor  = "moves/"
)

// AddMoves takes in what a member has shown, and how far that is, in one step. The
// segments need not be known yet.
func (x *Index) AddMoves(member ident.PublicKey, at Cursor, moves []Move, holders []Holder) error {
	bySegment := map[ident.CID][]Move{}
	for _, m := range moves {
		if m.Shard < 0 || m.Shard > 255 || !m.Segment.Defined() || !m.Receipt.Defined() {
			return fmt.Errorf("add moves: segment %v has no shard %d", m.Segment, m.Shard)
		}
		bySegment[m.Segment] = append(bySegment[m.Segment], m)
	}
	err := x.update(func(t tx) error {
		for _, segment := range slices.SortedFunc(maps.Keys(bySegment), ident.CID.Compare) {
			if err := putMoves(t, segment, bySegment[segment]); err != nil {
				return err
			}
		}
		for _, h := range holders {
			if err := putHolder(t, h); err != nil {
				return err
			}
		}
		return put(t, tableState, keyCursor+string(member[:]), at.encode())
	})
	if err != nil {
		return fmt.Errorf("add moves: %w", err)
	}
	return nil
}

func putMoves(t tx, segment ident.CID, moves []Move) error {
	key := string(segment.Bytes())
	have := getMoves(t, segment)
	changed := false
	for _, m := range moves {
		i := slices.IndexFunc(have, func(h Move) bool { return h.Shard == m.Shard && h.Operator == m.Operator })
		switch {
		case i < 0:
			have, changed = append(have, m), true
		case m.newer(have[i]):
			have[i], changed = m, true
		}
	}
	if !changed {
		return nil
	}
	p := make([]byte, 0, len(have)*placeRow)
	for _, m := range have {
		p = append(p, byte(m.Shard))
		p = binary.LittleEndian.AppendUint64(p, uint64(m.Time))
		p = append(append(append(p, m.Receipt.Bytes()...), m.Node[:]...), m.Operator[:]...)
	}
	return put(t, tablePlaces, key, p)
}

func getMoves(t tx, segment ident.CID) []Move {
	p, ok := get(t, tablePlaces, string(segment.Bytes()))
	if !ok {
		return nil
	}
	return decodeMoves(segment, p)
}

func decodeMoves(segment ident.CID, p []byte) []Move {
	var out []Move
	for ; len(p) >= placeRow; p = p[placeRow:] {
		receipt, err := ident.CIDFromBytes(p[9 : 9+ident.CIDSize])
		if err != nil {
			return nil
		}
		out = append(out, Move{
			Segment: segment, Shard: int(p[0]), Time: int64(binary.LittleEndian.Uint64(p[1:])), Receipt: receipt,
			Node: ident.PublicKey(p[9+ident.CIDSize:]), Operator: ident.PublicKey(p[9+ident.CIDSize+32:]),
		})
	}
	return out
}

// Moves yields all moves, in the order of the segments. An index that fails ends the sequence with an error. Whoever takes them
// does not write to the index meanwhile.
func (x *Index) Moves() iter.Seq2[Move, error] {
	return func(yield func(Move, error) bool) {
		more := true
		err := x.view(func(t tx) {
			scan(t, tablePlaces, func(key string, p []byte) bool {
				segment, err := ident.CIDFromBytes([]byte(key))
				if err != nil {
					return true
				}
				for _, m := range decodeMoves(segment, p) {
					if more = more && yield(m, nil); !more {
						return false
					}
				}
				return true
			})
		})
		if err != nil && more {
			yield(Move{}, fmt.Errorf("list moves: %w", err))
		}
	}
}

// Cursor returns how far a member's moves are known; zero if nothing is.
func (x *Index) Cursor(member ident.PublicKey) (Cursor, error) {
	var c Cursor
	err := x.view(func(t tx) {
		if p, ok := get(t, tableState, keyCursor+string(member[:])); ok && len(p) == cursorSize {
			c = Cursor{Store: [8]byte(p), Next: int64(binary.LittleEndian.Uint64(p[8:]))}
		}
	})
	if err != nil {
		return Cursor{}, fmt.Errorf("look up how far moves are known: %w", err)
	}
	return c, nil
}

func (c Cursor) encode() []byte {
	return binary.LittleEndian.AppendUint64(append([]byte{}, c.Store[:]...), uint64(c.Next))
}

// putHolder keeps whose node it is, unless a certificate with a higher serial, or of
// another operator, has said so.
func putHolder(t tx, h Holder) error {
	key := string(h.Node[:])
	if p, ok := get(t, tableHolders, key); ok {
		if old, ok := decodeHolder(h.Node, p); ok && (old.Serial >= h.Serial || old.Operator != h.Operator) {
			return nil
		}
	}
	p := append([]byte{}, h.Operator[:]...)
	p = binary.LittleEndian.AppendUint64(p, uint64(h.Serial))
	return put(t, tableHolders, key, append(p, h.Zone+holderNames+h.Name...))
}

// holderNames stands between zone and name, which have no control characters.
const holderNames = "\x00"

func decodeHolder(node ident.PublicKey, p []byte) (Holder, bool) {
	if len(p) < 32+8 {
		return Holder{}, false
	}
	zone, name, _ := strings.Cut(string(p[40:]), holderNames)
	return Holder{Node: node, Operator: ident.PublicKey(p[:32]), Serial: int64(binary.LittleEndian.Uint64(p[32:])), Zone: zone, Name: name}, true
}

// Holders returns whose nodes those are that shards have moved to.
func (x *Index) Holders() ([]Holder, error) {
	var out []Holder
	err := x.view(func(t tx) {
		scan(t, tableHolders, func(key string, p []byte) bool {
			if len(key) != 32 {
				return true
			}
			if h, ok := decodeHolder(ident.PublicKey([]byte(key)), p); ok {
				out = append(out, h)
			}
			return true
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list holders: %w", err)
	}
	return out, nil
}
