//go:build unix

package main

import "syscall"

// private makes every file that this process makes unreadable for others,
// those that libraries make included, whatever umask it was started with.
func private() { syscall.Umask(0o077) }
