package custody_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger/custody"
)

// rowsOf encodes the shards of some segments in one bucket.
func rowsOf(bucket byte, count int) (rows []byte) {
	for i := range count {
		rows = custody.AppendRow(rows, custody.Row{Digest: [32]byte{bucket, byte(i)}, Index: uint16(i * 7)})
	}
	return rows
}

func TestParseRows(t *testing.T) {
	good := rowsOf(9, 5)
	rows, err := custody.ParseRows(good, 9)
	if err != nil || len(rows) != 5 || rows[4].Index != 28 || rows[4].Bucket() != 9 {
		t.Fatal(rows, err)
	}
	if s := rows[1].Shard(); s.Segment != ident.NewCID(ident.DagCBOR, rows[1].Digest) || s.Index != 7 {
		t.Errorf("names %v", s)
	}
	if rows, err := custody.ParseRows(nil, 9); err != nil || len(rows) != 0 {
		t.Error(rows, err)
	}
	swapped := slices.Concat(good[custody.RowBytes:2*custody.RowBytes], good[:custody.RowBytes])
	twice := slices.Concat(good[:custody.RowBytes], good[:custody.RowBytes])
	for name, p := range map[string][]byte{
		"of another bucket": rowsOf(8, 2), "out of order": swapped, "one twice": twice, "cut": good[:len(good)-1],
	} {
		if _, err := custody.ParseRows(p, 9); !errors.Is(err, custody.ErrRows) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is accepted is the only encoding of its rows.
func FuzzParseRows(f *testing.F) {
	f.Add(rowsOf(9, 5), 9)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, p []byte, bucket int) {
		rows, err := custody.ParseRows(p, bucket)
		if err != nil {
			return
		}
		var q []byte
		for _, r := range rows {
			q = custody.AppendRow(q, r)
		}
		if !bytes.Equal(p, q) || !slices.IsSortedFunc(rows, custody.Row.Compare) {
			t.Errorf("%x comes back as %x", p, q)
		}
	})
}

// inventoryVector is one committed example of the buckets of docs/format.md, section 6: of a
// holder of these shards. Buckets that are not named are 32 zero bytes.
type inventoryVector struct {
	Shards []struct {
		Digest string `json:"digest"`
		Index  int    `json:"index"`
	} `json:"shards"`
	Buckets map[string]string `json:"buckets"`
}

// The bytes that an inventory commits to stay what they are, for ever.
func TestInventoryVector(t *testing.T) {
	var v inventoryVector
	p, err := os.ReadFile(filepath.Join("testdata", "inventory.json"))
	if err == nil {
		err = json.Unmarshal(p, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	m := custody.New()
	me := m.Holder(custody.Holder{Node: key("me"), Operator: key("operator")})
	for _, s := range v.Shards {
		digest, err := hex.DecodeString(s.Digest)
		if err != nil {
			t.Fatal(err)
		}
		id := ident.NewCID(ident.DagCBOR, [32]byte(digest))
		if seg, known := m.Find(id); known {
			seg.Held[s.Index] = me
			m.Add(seg)
			continue
		}
		held := slices.Repeat([]int{custody.Nowhere}, 8)
		held[s.Index] = me
		m.Add(custody.Segment{CID: id, Code: erasure.Code{K: 4, N: 8}, RowSize: 16 << 10, Held: held})
	}
	got := m.Expected(me)
	if got.Shards != int64(len(v.Shards)) || got.Bytes != int64(len(v.Shards))*16<<10 {
		t.Errorf("%d shards of %d bytes", got.Shards, got.Bytes)
	}
	for i, bucket := range got.Buckets {
		want := v.Buckets[hex.EncodeToString([]byte{byte(i)})]
		if want == "" {
			want = hex.EncodeToString(make([]byte, 32))
		}
		if hex.EncodeToString(bucket[:]) != want {
			t.Errorf("bucket %02x is %x, not %s", i, bucket, want)
		}
	}
	encoded := got.Encode()
	if len(encoded) != custody.DigestsSize || len(got.Differ(encoded)) != 0 {
		t.Errorf("%d bytes, which differ from themselves", len(encoded))
	}
	encoded[7*32]++
	if d := got.Differ(encoded); !slices.Equal(d, []int{7}) {
		t.Errorf("buckets %v differ", d)
	}
	if d := got.Differ(encoded[1:]); len(d) != custody.Buckets {
		t.Errorf("%d buckets differ from what is none", len(d))
	}
}
