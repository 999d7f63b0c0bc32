package bench

import "syscall"

// ownCPU is what this process has used so far, in seconds.
func ownCPU() float64 {
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0
	}
	var created, exited, kernel, user syscall.Filetime
	if syscall.GetProcessTimes(self, &created, &exited, &kernel, &user) != nil {
		return 0
	}
	seconds := func(t syscall.Filetime) float64 { // in units of 100 ns
		return float64(uint64(t.HighDateTime)<<32|uint64(t.LowDateTime)) / 1e7
	}
	return seconds(kernel) + seconds(user)
}
