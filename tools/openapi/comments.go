package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
)

// comments are what the source of a package says of its types.
type comments struct {
	// types are by name, and fields by Type.Field.
	types, fields map[string]string
	// constants are the values of a named string type.
	constants map[string][]string
	// titles are the constants Title…
	titles []string
}

func readComments(dir string) (comments, error) {
	c := comments{types: map[string]string{}, fields: map[string]string{}, constants: map[string][]string{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return c, err
	}
	if len(files) == 0 {
		return c, fs.ErrNotExist
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return c, err
		}
		for _, decl := range f.Decls {
			d, isGen := decl.(*ast.GenDecl)
			if !isGen {
				continue
			}
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					c.readType(spec, d.Doc)
				case *ast.ValueSpec:
					c.readConstant(spec)
				}
			}
		}
	}
	return c, nil
}

func (c *comments) readType(spec *ast.TypeSpec, doc *ast.CommentGroup) {
	if spec.Doc != nil {
		doc = spec.Doc
	}
	c.types[spec.Name.Name] = text(doc)
	s, isStruct := spec.Type.(*ast.StructType)
	if !isStruct {
		return
	}
	for _, f := range s.Fields.List {
		for _, name := range f.Names {
			c.fields[spec.Name.Name+"."+name.Name] = text(f.Doc)
		}
	}
}

func (c *comments) readConstant(spec *ast.ValueSpec) {
	for i, name := range spec.Names {
		if i >= len(spec.Values) {
			continue
		}
		lit, isLit := spec.Values[i].(*ast.BasicLit)
		if !isLit || lit.Kind != token.STRING {
			continue
		}
		value, err := strconv.Unquote(lit.Value)
		if err != nil {
			continue
		}
		if of, isNamed := spec.Type.(*ast.Ident); isNamed {
			c.constants[of.Name] = append(c.constants[of.Name], value)
		} else if strings.HasPrefix(name.Name, "Title") {
			c.titles = append(c.titles, value)
		}
	}
}

// goSpeak is what a comment says for programmers of this project alone.
var goSpeak = strings.NewReplacer(
	" The server\nencodes it with MarshalRevealed.", "", " The server encodes it with MarshalRevealed.", "", " The server\nencodes that answer with MarshalRevealed.", "",
	"[", "", "]", "", "nil", "null", "Nil", "Null",
)

// text is a comment as one line of prose.
func text(doc *ast.CommentGroup) string {
	if doc == nil {
		return ""
	}
	return strings.Join(strings.Fields(goSpeak.Replace(doc.Text())), " ")
}
