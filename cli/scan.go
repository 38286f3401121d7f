package cli

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"infsh/api"
	"infsh/scan"
)

func (p *program) scanCommand() *cobra.Command {
	var history bool
	cmd := &cobra.Command{
		Use:   "scan [DIR]",
		Short: "Look for the team's secrets in files, before they are pushed",
		Long: `Looks in the files of DIR (this folder, if none is named) for the values of the
team's secrets, and prints the file, line and key of each that it finds. In a git
work tree these are the files that git tracks or would add; elsewhere all files.
With --history it looks in all that git's branches and tags ever held, too, and
names the blob.

No value leaves the server: it tells a few bits of a hash of each, and is asked
about what looks the same. Found are values as they are written, also in the
middle of others, and not in other encodings. Not looked for are values that are
short or could be guessed, which are named; nor values that are not in use any
more.

It needs the role owner or admin, or a team whose members may edit. Exit codes:
0 nothing was found; 1 something was.`,
		Example: `  infsh scan
  infsh scan --history ../service`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			if info, err := os.Stat(dir); err != nil || !info.IsDir() {
				return fail(ExitFailure, quote(dir)+" is not a folder that can be read")
			}
			s, err := p.connect()
			if err != nil {
				return err
			}
			return p.scan(cmd.Context(), s, dir, history)
		},
	}
	cmd.Flags().BoolVar(&history, "history", false, "look in git's history as well")
	return cmd
}

// place is where something was found.
type place struct {
	file string
	line int
}

// scanned collects what has to be asked about.
type scanned struct {
	filter *scan.Filter
	places map[scan.Hash][]place
	files  int
}

// placesOfOne bounds what is kept and printed of one value.
const placesOfOne = 100

func (p *program) scan(ctx context.Context, s *session, dir string, history bool) error {
	prints, err := s.Fingerprints(ctx)
	if err != nil {
		return err
	}
	var key scan.Key
	if salt, err := hex.DecodeString(prints.Salt); err != nil || copy(key[:], salt) != len(key) {
		return errors.New("the server's fingerprints are not what this program expects: are both of the same version?")
	}
	if len(prints.Skipped) > 0 {
		p.notef("note: not looked for, since their values are short or could be guessed: %s", inert(strings.Join(prints.Skipped, ", ")))
	}
	shorts := make([]uint32, 0, len(prints.Fingerprints))
	for _, short := range prints.Fingerprints {
		shorts = append(shorts, uint32(short))
	}
	c := &scanned{filter: scan.NewFilter(key, shorts), places: map[scan.Hash][]place{}}
	if err := c.tree(ctx, dir); err != nil {
		return err
	}
	if history {
		if err := c.history(ctx, dir); err != nil {
			return err
		}
	}
	found, err := c.confirm(ctx, s)
	if err != nil {
		return err
	}
	for _, line := range found {
		p.printf("%s\n", line)
	}
	p.notef("%d files looked at, %d secrets looked for.", c.files, len(prints.Fingerprints))
	if len(found) > 0 {
		return fail(ExitFailure, "the team's secrets are in these files: replace what has left this machine at its service, then here with `infsh secrets set`")
	}
	return nil
}

func (c *scanned) read(name string, r io.Reader) error {
	c.files++
	search := c.filter.Search(func(h scan.Hash, line int) {
		if places := c.places[h]; len(places) < placesOfOne {
			c.places[h] = append(places, place{name, line})
		}
	})
	_, err := io.Copy(search, r)
	return err
}

// git runs git in a folder that somebody else may have made: without this
// program's credential, and without the watcher that the folder's settings name.
func git(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "-c", "core.fsmonitor=false"}, args...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "INFSH_") })
	return cmd
}

// tree reads the files that git would push, or all files where there is no git.
func (c *scanned) tree(ctx context.Context, dir string) error {
	list := git(ctx, dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if out, err := list.Output(); err == nil {
		names := strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if err := c.file(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
		return nil
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("looking at files: %w", err)
		case d.IsDir() && d.Name() == ".git":
			return filepath.SkipDir
		case d.IsDir():
			return ctx.Err()
		}
		return c.file(path)
	})
}

// file reads a regular file. What is a link is read where it leads, if that is here.
func (c *scanned) file(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at files: %w", err)
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("looking at files: %w", err)
	}
	defer file.Close()
	return c.read(path, file)
}

// history reads each blob that a branch or tag reaches, once.
func (c *scanned) history(ctx context.Context, dir string) error {
	list, err := git(ctx, dir, "rev-list", "--objects", "--all").Output()
	if err != nil {
		return fmt.Errorf("%s has no git history that can be read: %w", quote(dir), err)
	}
	names := map[string]string{}
	var objects strings.Builder
	for line := range strings.Lines(string(list)) {
		object, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		names[object] = name
		objects.WriteString(object + "\n")
	}
	cat := git(ctx, dir, "cat-file", "--batch")
	cat.Stdin = strings.NewReader(objects.String())
	out, err := cat.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cat.Start(); err != nil {
		return fmt.Errorf("reading git's history: %w", err)
	}
	for r := bufio.NewReader(out); ; {
		var object, kind string
		var size int64
		// OBJECT SP KIND SP SIZE LF CONTENT LF
		header, err := r.ReadString('\n')
		if err == io.EOF && header == "" {
			break
		}
		if n, _ := fmt.Sscan(header, &object, &kind, &size); n != 3 {
			return errors.Join(errors.New("git's answer about its history is not understood"), cat.Process.Kill(), cat.Wait())
		}
		content := io.LimitReader(r, size)
		if kind == "blob" {
			if err := c.read(fmt.Sprintf("%.12s:%s", object, names[object]), content); err != nil {
				return err
			}
		}
		if _, err := io.Copy(io.Discard, content); err != nil {
			return err
		}
		if _, err := r.Discard(1); err != nil {
			return err
		}
	}
	return cat.Wait()
}

// confirm asks the server about what looked like a value, and returns a line of text
// for each that is one.
func (c *scanned) confirm(ctx context.Context, s *session) ([]string, error) {
	hashes := make([]string, 0, len(c.places))
	for h := range c.places {
		hashes = append(hashes, hex.EncodeToString(h[:]))
	}
	slices.Sort(hashes)
	var lines []string
	for batch := range slices.Chunk(hashes, api.MaxScanCandidates) {
		answer, err := s.FindCandidates(ctx, api.ScanCandidates{Candidates: batch})
		if err != nil {
			return nil, err
		}
		for _, found := range answer.Found {
			var h scan.Hash
			if n, err := hex.Decode(h[:], []byte(found.Candidate)); err != nil || n != len(h) {
				continue
			}
			for _, at := range c.places[h] {
				lines = append(lines, inert(fmt.Sprintf("%s:%d: %s", at.file, at.line, found.Key)))
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines), nil
}
