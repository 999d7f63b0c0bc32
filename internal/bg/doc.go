// Package bg knows how work goes on in the background: loops that can be triggered,
// paused and waited for, and groups that own goroutines until all of them have
// ended. It does not know what the work is, and it starts nothing by itself. It
// stands on the standard library.
package bg
