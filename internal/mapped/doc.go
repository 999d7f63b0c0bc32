// Package mapped knows how a large bbolt database that was read from one end to the other
// is kept from filling a process's memory. It does not know what is in the database. It
// stands on bbolt, and on the system's advice about mapped memory.
package mapped
