//go:build !unix

package main

// private has nothing to do where a file's protection is its folder's.
func private() {}
