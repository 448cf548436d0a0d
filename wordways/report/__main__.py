"""`wordways-report`, also `python -m wordways.report`."""

from wordways.report.build import main

if __name__ == "__main__":
    main()
