package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// source is one Go file.
type source struct {
	room, path string // relative to the root, with slashes
	test       bool
	lines      int
	file       *ast.File
}

// checker collects what is wrong.
type checker struct {
	fset  *token.FileSet
	rooms map[string][]*source
	found []string
	used  map[string]bool // exceptions
}

// check reads the tree and returns a line for each violation.
func check(root fs.FS) ([]string, error) {
	c := &checker{fset: token.NewFileSet(), rooms: make(map[string][]*source), used: make(map[string]bool)}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || len(name) > 1 && strings.HasPrefix(d.Name(), ".")):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		return c.read(root, name)
	})
	if err != nil {
		return nil, err
	}
	for room, files := range c.rooms {
		c.checkRoom(room, files)
	}
	for _, e := range excepted {
		if room, _, _ := strings.Cut(e.name, "."); c.rooms[room] != nil && !c.used[e.name] {
			c.violation("the exception for %s is not needed", e.name)
		}
	}
	slices.Sort(c.found)
	return c.found, nil
}

func (c *checker) read(root fs.FS, name string) error {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(c.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	room := path.Dir(name)
	c.rooms[room] = append(c.rooms[room], &source{room: room, path: name, file: file,
		test: strings.HasSuffix(name, "_test.go"), lines: strings.Count(string(text), "\n")})
	return nil
}

func (c *checker) violation(format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf(format, args...))
}

func (c *checker) at(n ast.Node) string {
	p := c.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

func (c *checker) checkRoom(room string, files []*source) {
	if layer(room) < 0 && !slices.Contains(testRooms[:], room) && !slices.Contains(tools[:], room) {
		c.violation("%s: a room without a place in the architecture", room)
	}
	for _, s := range files {
		c.checkImports(s)
		if s.test {
			continue
		}
		if s.lines > maxLines {
			c.violation("%s: %d lines, more than %d", s.path, s.lines, maxLines)
		}
		c.checkExits(s)
	}
	c.checkVariables(room, files)
}

// layer is the number of a room's layer, -1 for none.
func layer(room string) int {
	return slices.IndexFunc(layers[:], func(rooms []string) bool { return slices.Contains(rooms, room) })
}

func (c *checker) checkImports(s *source) {
	for _, spec := range s.file.Imports {
		to, _ := strconv.Unquote(spec.Path.Value)
		room, ours := strings.CutPrefix(to, module+"/")
		switch {
		case ours && !mayImport(s, room):
			c.violation("%s: %s must not import %s", c.at(spec), s.room, room)
		case !ours && strings.Contains(strings.Split(to, "/")[0], ".") && !mayUse(s, to):
			c.violation("%s: %s must not import %s", c.at(spec), s.room, to)
		}
	}
}

// mayImport says whether an arrow between two rooms is one of the plan.
func mayImport(s *source, to string) bool {
	if s.room == to {
		return s.test // an external test of the package
	}
	for _, b := range besides {
		if b.from == s.room && b.to == to && (b.file == "" || b.file == path.Base(s.path)) {
			return true
		}
	}
	if slices.Contains(testRooms[:], to) {
		return s.test
	}
	from, below := layer(s.room), layer(to)
	switch {
	case s.room == "cmd/gossh":
		return to == "internal/cli" // main is one call
	case slices.Contains(tools[:], s.room):
		return s.test && below >= 0
	}
	return from >= 0 && below > from
}

// mayUse says whether a room may import a module of others.
func mayUse(s *source, to string) bool {
	for _, m := range modules {
		if to == m.path || strings.HasPrefix(to, m.path+"/") {
			return s.test || m.rooms == nil || slices.Contains(m.rooms, s.room)
		}
	}
	return false
}

// checkExits finds what ends the process anywhere but in main, and init.
func (c *checker) checkExits(s *source) {
	for _, d := range s.file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if ok && f.Recv == nil && f.Name.Name == "init" {
			c.violation("%s: init", c.at(f))
		}
		inMain := ok && s.file.Name.Name == "main" && f.Recv == nil && f.Name.Name == "main"
		ast.Inspect(d, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, _ := sel.X.(*ast.Ident)
			if x != nil && !inMain && endsProcess(x.Name, sel.Sel.Name) {
				c.violation("%s: %s.%s outside main", c.at(n), x.Name, sel.Sel.Name)
			}
			return true
		})
	}
}

func endsProcess(pkg, name string) bool {
	switch pkg {
	case "os", "syscall", "unix", "windows":
		return name == "Exit" || name == "ExitProcess"
	case "log":
		return strings.HasPrefix(name, "Fatal") || strings.HasPrefix(name, "Panic")
	}
	return false
}
