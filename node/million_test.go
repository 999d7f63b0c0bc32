package node

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"holdfast/erasure"
	"holdfast/internal/ident"
	"holdfast/ledger"
	"holdfast/store"
)

// millionEnv names the folder of a node with many shards that this program, started again
// by a test, shall start.
const millionEnv = "HOLDFAST_NODE_MILLION"

// manyShards is how many a node must start with in a few seconds, and in little memory.
const manyShards = 1_000_000

// TestMillionChild starts a node, goes once through everything that it knows of its
// shards, as it does in the background after each start, and tells what that took.
func TestMillionChild(t *testing.T) {
	dir := os.Getenv(millionEnv)
	if dir == "" {
		t.Skip("only as the child of BenchmarkMillionShards")
	}
	began := time.Now()
	n, err := Open(t.Context(), dir, Options{Now: ledger2026})
	must(t, err)
	defer func() { must(t, n.close()) }()
	s := n.Status(t.Context())
	fmt.Println("started", s.Shards, time.Since(began).Seconds(), residentMemory(t), heap())
	began = time.Now()
	must(t, n.volume.use(t.Context(), func(p *parts) error { return p.compare(t.Context()) }))
	fmt.Println("compared", s.Shards, time.Since(began).Seconds(), residentMemory(t), heap())
}

// heap is what the program itself keeps, in MB.
func heap() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.Sys-m.HeapReleased) / 1e6
}

// residentMemory is the most that the system has given to this process at a time, in MB.
func residentMemory(t testing.TB) float64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc")
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			must(t, err)
			return kb * 1024 / 1e6
		}
	}
	return 0
}

// BenchmarkMillionShards starts a node whose index and book know a million shards coded
// 4/8. Their files are not made: nothing opens them at a start.
func BenchmarkMillionShards(b *testing.B) {
	dir := newManyNode(b, manyShards)
	for b.Loop() {
		cmd := exec.Command(os.Args[0], "-test.run=^TestMillionChild$")
		cmd.Env = append(os.Environ(), millionEnv+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(b, err)
		must(b, cmd.Start())
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var what string
			var shards int64
			var seconds, resident, heap float64
			if n, _ := fmt.Sscan(lines.Text(), &what, &shards, &seconds, &resident, &heap); n < 5 {
				continue
			}
			if shards != manyShards {
				b.Errorf("%s with %d shards", what, shards)
			}
			b.ReportMetric(seconds, what+"-s")
			b.ReportMetric(resident, what+"-MB")
			b.ReportMetric(heap, what+"-heap-MB")
		}
		must(b, cmd.Wait())
	}
}

func ledger2026() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// newManyNode makes a node with n shards in its index and its book.
func newManyNode(t testing.TB, n int) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "node")
	c := initConfig(dir)
	c.Config.Capacity, c.Now = 1<<50, ledger2026
	cert, err := Init(c)
	must(t, err)
	keys := manyKeys(n)
	volume := filepath.Join(dir, volumeName)
	fillIndex(t, filepath.Join(volume, "index.db"), keys)
	fillBook(t, filepath.Join(volume, bookName), keys, cert)
	return dir
}

const manyRow = 8 << 20

// manyKeys returns keys of one vault, sorted.
func manyKeys(n int) []store.Key {
	keys := make([]store.Key, n)
	vault := ident.SumDagCBOR([]byte("vault"))
	for i := range keys {
		keys[i] = store.Key{Vault: vault, Segment: ident.SumDagCBOR(binary.BigEndian.AppendUint64(nil, uint64(i))), Index: i % 8}
	}
	slices.SortFunc(keys, store.Key.Compare)
	return keys
}

// fillIndex writes the entries of a volume's index, as package disk does: under vault,
// segment and index the size of the payload and the descriptor.
func fillIndex(t testing.TB, path string, keys []store.Key) {
	t.Helper()
	d := erasure.Descriptor{V: 1, K: 4, N: 8, Size: 4 * manyRow, Shards: make([]ident.CID, 8)}
	for i := range d.Shards {
		d.Shards[i] = ident.SumRaw([]byte{byte(i)})
	}
	descriptor := d.Encode()
	fileSize := int64(store.OutboardSize(manyRow)) + manyRow + int64(len(descriptor)) + 120
	fill(t, path, "shards", keys, func(k store.Key) (key, value []byte) {
		key = append(bytes.Clone(k.Vault.Bytes()), k.Segment.Bytes()...)
		return binary.BigEndian.AppendUint32(key, uint32(k.Index)), append(binary.BigEndian.AppendUint64(nil, manyRow), descriptor...)
	}, func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte("meta"))
		if err := meta.Put([]byte("shards"), binary.BigEndian.AppendUint64(nil, uint64(len(keys)))); err != nil {
			return err
		}
		return meta.Put([]byte("used"), binary.BigEndian.AppendUint64(nil, uint64(fileSize)*uint64(len(keys))))
	})
}

// fillBook writes the records of a node's book.
func fillBook(t testing.TB, path string, keys []store.Key, cert ledger.NodeCertificate) {
	t.Helper()
	book, err := openBook(path, bookHold, ledger2026)
	must(t, err)
	must(t, book.close())
	r := record{Device: cert.Node, Size: manyRow, Until: book.holdUntil(), Certified: true}
	fill(t, path, string(bucketShards), keys, func(k store.Key) (key, value []byte) { return encodeShardKey(k), encodeRecord(r) },
		func(*bbolt.Tx) error { return nil })
}

func fill(t testing.TB, path, bucket string, keys []store.Key, encode func(store.Key) (key, value []byte), last func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, FreelistType: bbolt.FreelistMapType})
	must(t, err)
	for part := range slices.Chunk(keys, 100_000) {
		must(t, db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(bucket))
			for _, k := range part {
				if err := b.Put(encode(k)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	must(t, db.Update(last))
	must(t, db.Close())
}
