package placement

import (
	"encoding/binary"
	"math/bits"

	"lukechampine.com/blake3"

	"holdfast/internal/ident"
)

// maxWeight bounds what one node can claim: 1 PiB. The sum over 4,096 nodes still
// fits a score.
const maxWeight = 1 << 50

// weight is a node's share of its operator's turns: its space, lessened by its
// standing. Who may take anything at all has some.
func (c Candidate) weight() uint64 {
	if !c.Takes() {
		return 0
	}
	space, standing := uint64(min(c.Space, maxWeight)), uint64(min(c.Weight, Full))
	return max(1, space*standing/Full)
}

// draw is one party's lot in weighted rendezvous: an exponentially distributed
// number in fixed point, over its weight. The smaller quotient wins, with a
// probability in proportion to the weight, whoever else takes part. Integers
// alone, so that every machine draws alike.
type draw struct{ age, weight uint64 }

// before reports whether a wins over b. Nobody without weight ever wins.
func (a draw) before(b draw) bool {
	ahi, alo := bits.Mul64(a.age, b.weight)
	bhi, blo := bits.Mul64(b.age, a.weight)
	if ahi != bhi {
		return ahi < bhi
	}
	return alo < blo
}

// What a lot is drawn for. Lots of one kind are independent of the other's.
const (
	lotOperator = 'o'
	lotNode     = 'n'
)

// lots draws for one segment of one commit.
type lots struct {
	seed    [32]byte
	segment int
}

// number returns 64 bits that depend on the seed, the segment, the kind and the key.
func (l lots) number(kind byte, key ident.PublicKey) uint64 {
	m := make([]byte, 0, len(l.seed)+9+len(key))
	m = append(m, l.seed[:]...)
	m = append(m, kind)
	m = binary.LittleEndian.AppendUint64(m, uint64(l.segment))
	m = append(m, key[:]...)
	sum := blake3.Sum256(m)
	return binary.LittleEndian.Uint64(sum[:])
}

func (l lots) draw(kind byte, key ident.PublicKey, weight uint64) draw {
	return draw{age(l.number(kind, key)), weight}
}

// fraction is the number of binary places of an age.
const fraction = 48

// age returns -log2((x+1)/2^64) in fixed point: exponentially distributed when x
// is uniform. It is never zero.
func age(x uint64) uint64 {
	if x == 1<<64-1 {
		return 1
	}
	x++
	whole := bits.Len64(x) - 1
	m := x << (63 - whole) // mantissa in [1, 2), with 63 places
	log := uint64(whole)
	for range fraction {
		hi, lo := bits.Mul64(m, m) // in [1, 4), with 126 places
		log <<= 1
		if hi>>63 == 1 {
			log |= 1
			m = hi
		} else {
			m = hi<<1 | lo>>63
		}
	}
	return max(64<<fraction-log, 1)
}
