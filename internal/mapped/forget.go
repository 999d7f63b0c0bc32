package mapped

import (
	"unsafe"

	"go.etcd.io/bbolt"
)

// Forget gives back the memory through which a database's file was read. bbolt maps the
// whole file, and every page that was ever looked at counts as the process's: with a
// million entries a gigabyte and more. What is looked at again is mapped again, from the
// system's cache if it is still there.
//
// It does nothing where the system has no such advice, or does not take it.
func Forget(db *bbolt.DB) error {
	// Inside a transaction the file is not mapped anew somewhere else.
	return db.View(func(tx *bbolt.Tx) error {
		if data, size := db.Info().Data, tx.Size(); data != 0 && size > 0 {
			forget(unsafe.Slice((*byte)(address(data)), size))
		}
		return nil
	})
}

// address makes a pointer of where bbolt has mapped the file: memory that is not Go's,
// and that stays where it is for as long as the transaction lasts.
func address(data uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&data)) }
