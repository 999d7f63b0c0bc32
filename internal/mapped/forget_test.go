package mapped

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mappedMB is how much of files this process has mapped and looked at.
func mappedMB(t testing.TB) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "RssFile:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			must(t, err)
			return kb / 1024
		}
	}
	t.Skip("the system does not say")
	return 0
}

// Law: memory that was only read through is given back, and the database is as it was,
// also to who reads and writes it meanwhile.
func TestForget(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only where the system takes the advice")
	}
	const entries, size = 5_000, 2_000
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "x.db"), 0o600, &bbolt.Options{NoSync: true})
	must(t, err)
	defer db.Close()
	bucket, value := []byte("b"), make([]byte, size)
	key := func(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }
	must(t, db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket(bucket)
		for i := 0; i < entries && err == nil; i++ {
			err = b.Put(key(i), value)
		}
		return err
	}))
	sum := func() (n int) {
		must(t, db.View(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucket).ForEach(func(_, v []byte) error {
				for _, b := range v {
					n += int(b)
				}
				n += len(v)
				return nil
			})
		}))
		return n
	}
	if n := sum(); n != entries*size {
		t.Fatalf("%d bytes read", n)
	}
	before := mappedMB(t)
	must(t, Forget(db))
	if after := mappedMB(t); before-after < entries*size>>20 {
		t.Errorf("%d MB before, %d MB after, of %d MB read", before, after, entries*size>>20)
	}
	must(t, db.View(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucket).Get(key(7))
		must(t, Forget(db))
		if len(v) != size || v[0] != 0 {
			t.Error("what a reader has in hand is gone")
		}
		return nil
	}))
	must(t, db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		must(t, b.Delete(key(3)))
		must(t, Forget(db))
		return b.Put(key(entries), value)
	}))
	if n := sum(); n != entries*size {
		t.Errorf("%d bytes read in the end", n)
	}
}
