package member

import (
	"path/filepath"
	"runtime"
	"testing"

	bolt "go.etcd.io/bbolt"

	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/ledger/custody"
	"holdfast/ledger/ledgertest"
)

// BenchmarkCustody: the first question about who holds a million segments, those after it,
// and one after a later placement. Of 4,000 entries, in a database that was just opened.
func BenchmarkCustody(b *testing.B) {
	const entries, segments, members = 4000, 250, 8
	s := newSoloOf(b, members)
	s.million(entries, segments)
	v := s.store.vaults[s.vault.ID()]
	b.Run("first", func(b *testing.B) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var m *custody.Map
		for b.Loop() {
			v.held.doubt()
			var err error
			if m, err = s.store.Custody(v.id); err != nil || m.Len() != entries*segments {
				b.Fatal(m.Len(), err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
	})
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.store.Custody(v.id); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("after 100 segments were touched", func(b *testing.B) {
		var t touched
		err := v.read(func(x index) error {
			table, err := x.table(ident.SumDagCBOR(number(0)))
			t.segments = table.names()[:100]
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			v.held.note(t)
			if _, err := s.store.Custody(v.id); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// million writes certified entries with their tables past all rules, and opens the store
// again. Nothing else of them is there.
func (s *solo) million(entries, segments int) {
	s.t.Helper()
	if err := s.store.Close(); err != nil {
		s.t.Fatal(err)
	}
	db, err := bolt.Open(filepath.Join(s.cfg.Dir, databaseName), 0o600, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	lane := ledgertest.Key("a million")
	one := must(must(ledger.ParseSnapshotBody(s.lane.Snapshot("one", 1).Body)).ParseSegments())[0]
	for from := 0; from < entries && err == nil; from += 500 {
		err = db.Update(func(tx *bolt.Tx) error {
			x := index{b: tx.Bucket(s.vault.ID().Bytes())}
			for i := from; i < min(from+500, entries); i++ {
				if err := s.oneOfMany(x, lane.Public(), one, i, segments); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.open()
}

func (s *solo) oneOfMany(x index, lane ident.PublicKey, one ledger.Segment, i, segments int) error {
	numbers := make([]uint16, len(s.vault.Members))
	for j, m := range s.vault.Members {
		n, err := x.holder(must(ledger.VerifyNodeCertificate(m.Certificate)))
		if err != nil {
			return err
		}
		numbers[j] = n
	}
	list := make([]ledger.Segment, segments)
	id := ident.SumDagCBOR(number(int64(i)))
	for j := range list {
		list[j] = one
		list[j].CID = ident.SumDagCBOR(number(int64(1<<40 + i*segments + j)))
		v := append(append(id.Bytes(), number(int64(i*segments+j))...), one.Encoded...)
		if i > 0 {
			continue // those of the first entry are enough for what is touched
		}
		if err := x.put(segmentsBucket, list[j].CID.Bytes(), v); err != nil {
			return err
		}
	}
	if err := x.putEntry(id, record{Lane: lane, Height: int64(i) + 1, Count: int64((i + 1) * segments), Certified: true, Link: make([]byte, 600)}); err != nil {
		return err
	}
	return x.put(tablesBucket, id.Bytes(), newTable(list, numbers))
}
