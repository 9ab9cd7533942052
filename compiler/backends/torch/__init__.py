"""Network IR to ordinary torch modules, one file for each kind of step. The only importer of torch below `decode`."""
