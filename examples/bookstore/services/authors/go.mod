module bookstore/authors

go 1.19
