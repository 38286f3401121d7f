//go:build !unix

package main

import "math"

// private has nothing to do where a file's protection is its folder's.
func private() {}

// maxDescriptors is not known here.
func maxDescriptors() int { return math.MaxInt32 }
