//go:build !unix

package envelope

// readPrivateFile refuses where modes and owners can't be checked.
func readPrivateFile(path string) ([]byte, error) {
	return nil, &KEKError{"file " + path, "this system has no file modes that keep a key private; use env:NAME", ErrKEKInvalid}
}
