package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// fileNames are the names of manifests, in the order of preference for new ones.
var fileNames = []string{"app.yaml", "app.yml", "inf.yml", "inf.yaml"}

// ErrNotFound says that there is no manifest where one was looked for.
var ErrNotFound = errors.New("no manifest found")

// Find returns the path of the manifest in a folder. Several manifests in one
// folder are an error, since only one of them can be meant; with none, the
// error is ErrNotFound and says what to create.
func Find(dir string) (path string, err error) {
	var found []string
	for _, name := range fileNames {
		info, err := os.Stat(filepath.Join(dir, name))
		switch {
		case err == nil && !info.IsDir():
			found = append(found, name)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("look for a manifest: %w", err)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%w in %s: create %s there, with the secrets that the app needs as a list under \"secrets:\", each as \"- key: NAME\"", ErrNotFound, inertPath(dir), fileNames[0])
	case 1:
		return filepath.Join(dir, found[0]), nil
	default:
		return "", fmt.Errorf("%s has several manifests (%s): name the one that you mean, or delete the others", inertPath(dir), strings.Join(found, ", "))
	}
}

// Load reads the manifest at a path, or the one in a folder. Where it has no
// name, the app is called like the folder that it stands in, in lower case and
// with hyphens. Mistakes in the file are an *Error.
func Load(pathOrDir string) (*Manifest, error) {
	path := pathOrDir
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path, err = Find(pathOrDir)
		if err != nil {
			return nil, err
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s does not exist", ErrNotFound, inertPath(path))
	}
	data, err := readLimited(path)
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	m, err := Parse(path, data)
	if err != nil {
		return nil, err
	}
	if m.Name == "" {
		if m.Name, err = nameOfFolder(path); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// readLimited reads one byte more than a manifest may have, so that Parse sees
// that it is too large.
func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxBytes+1))
}

func nameOfFolder(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find the folder of the manifest: %w", err)
	}
	folder := filepath.Base(filepath.Dir(abs))
	name, ok := slug(folder)
	if !ok {
		return "", &Error{path, 1, fmt.Sprintf("the app has no name, and that of its folder, %s, can't serve as one; add a line such as \"name: my-app\"", quote(folder))}
	}
	return name, nil
}

// slug makes a folder's name an app's name, where that needs no guessing:
// letters become lower-case, and other ASCII characters hyphens.
func slug(folder string) (string, bool) {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_', r > '~':
			return r
		default:
			return '-'
		}
	}, folder)
	name = strings.Trim(name, "-._")
	return name, slugPattern().MatchString(name)
}
