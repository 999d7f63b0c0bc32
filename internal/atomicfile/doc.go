// Package atomicfile replaces files so that a crash leaves either the old one or
// the new one, whole, and it knows what has to be flushed to the disk in which
// order for that. It does not know what files hold, it does not lock them against
// other writers, and it never retries a failed flush. It stands on the operating
// system's rename and fsync; Windows cannot flush a folder and does not need to.
package atomicfile
