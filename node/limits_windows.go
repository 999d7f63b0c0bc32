package node

func examineLimits() Finding {
	return skipped(checkLimits, "this system has no limit of open files")
}
