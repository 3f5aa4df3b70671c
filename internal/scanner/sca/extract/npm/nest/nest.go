// Package nest finds which of several nested versions of a package the code in
// a folder gets: that of the innermost folder around it that holds one by the
// name. The lockfiles of npm and Bun state nesting only and leave the finding to
// whoever reads them. It knows neither format: what lies above a folder its user
// says.
package nest

// MaxLevels is how many folders may lie around one another. What is looked up
// costs that many steps at most.
const MaxLevels = 128

// Index holds what the folders hold. It is not safe for concurrent use.
type Index struct {
	above   func(folder string) string
	holders map[string]int32 // folders that hold something
	held    map[slot]int
	// The holders around the folder that was asked about last, inner ones first:
	// what one package needs is looked up in a row.
	folder string
	around []int32
	known  bool
}

type slot struct {
	holder int32
	name   string
}

// New returns an empty index for about size packages. Above returns the folder
// around one that is not "", which must be shorter; "" is around all.
func New(size int, above func(folder string) string) *Index {
	return &Index{above: above, holders: map[string]int32{}, held: make(map[slot]int, size)}
}

// Put notes that a folder holds the package with the number under a name.
func (x *Index) Put(folder, name string, number int) {
	holder, ok := x.holders[folder]
	if !ok {
		holder = int32(len(x.holders))
		x.holders[folder] = holder
	}
	x.held[slot{holder, name}] = number
	x.known = false
}

// Find is the number of the package that code in a folder gets by name.
func (x *Index) Find(folder, name string) (number int, ok bool) {
	if !x.known || x.folder != folder {
		x.look(folder)
	}
	for _, holder := range x.around {
		if number, ok := x.held[slot{holder, name}]; ok {
			return number, true
		}
	}
	return 0, false
}

func (x *Index) look(folder string) {
	x.folder, x.known, x.around = folder, true, x.around[:0]
	for level := 0; folder != "" && level < MaxLevels; level++ {
		if holder, ok := x.holders[folder]; ok {
			x.around = append(x.around, holder)
		}
		folder = x.above(folder)
	}
	if holder, ok := x.holders[""]; ok {
		x.around = append(x.around, holder)
	}
}
